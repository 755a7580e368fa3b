// The demo with the client that openapi-generator makes for Go: arguments are the server's address and a token.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"example.com/library/client"
)

// What an operation answers with, its response and its error.
func try[T any](value T, response *http.Response, err error) T {
	if err != nil {
		panic(fmt.Sprint(err, response))
	}
	return value
}

func main() {
	ctx := context.WithValue(context.Background(), client.ContextAccessToken, os.Args[2])
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Args[1]}}
	api := client.NewAPIClient(configuration)
	books, loans, search := api.BooksAPI, api.LoansAPI, api.RpcSearchBooksAPI
	rows := "return=representation"
	book := func(title string) client.BookInsert { return *client.NewBookInsert(title, 1, "novel", 1814) }

	body := book("Zebra one")
	several := []client.BookInsert{book("Zebra two"), book("Zebra three")}
	one := try(books.InsertBooks(ctx).BookInsertBody(client.BookInsertAsBookInsertBody(&body)).Prefer(rows).Execute())
	two := try(books.InsertBooks(ctx).BookInsertBody(client.ArrayOfBookInsertAsBookInsertBody(&several)).Prefer(rows).Execute())
	id := fmt.Sprintf("eq.%d", one[0].GetId())
	loan := client.NewLoanInsert(one[0].GetId())
	_, silent, _ := loans.InsertLoans(ctx).LoanInsertBody(client.LoanInsertAsLoanInsertBody(loan)).Execute()
	listed := try(books.ListBooks(ctx).Title("like.Zebra*").Select_("title,authors(name)").Order("title").Execute())
	update := client.NewBookUpdate()
	update.SetTags([]*string{client.PtrString("striped")})
	updated := try(books.UpdateBooks(ctx).Id(id).BookUpdate(*update).Prefer(rows).Execute())
	found := try(search.CallSearchBooks(ctx).SearchBooksArguments(*client.NewSearchBooksArguments(*client.NewNullableString(client.PtrString("zebra")))).Execute())
	got := try(search.GetSearchBooks(ctx).Query("zebra").Limit(1).Execute())
	try(loans.DeleteLoans(ctx).BookId(id).Execute())
	deleted := try(books.DeleteBooks(ctx).Title("like.Zebra*").Prefer(rows).Execute())
	_, _, refused := books.ListBooks(ctx).Id("eq.one").Execute()
	titles := [][]string{}
	for _, book := range listed {
		titles = append(titles, []string{book.GetTitle(), book.Authors.Get().GetName()})
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"created": []string{one[0].GetTitle(), two[0].GetTitle(), two[1].GetTitle()},
		"silent":  silent.StatusCode,
		"listed":  titles,
		"updated": updated[0].Tags,
		"found":   len(found),
		"got":     len(got),
		"deleted": len(deleted),
		"refused": refused.(*client.GenericOpenAPIError).Model().(client.ApiError).Code,
	})
}
