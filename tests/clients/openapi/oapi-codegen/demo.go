// The demo with the client that oapi-codegen makes: arguments are the server's address and a token.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"

	"example.com/library/client"
)

func try[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func p[T any](value T) *T { return &value }

func main() {
	ctx := context.Background()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Args[2])
		return nil
	}
	api := try(client.NewClientWithResponses(os.Args[1], client.WithRequestEditorFn(authorize)))
	book := func(title string) client.BookInsert {
		return client.BookInsert{Title: title, AuthorId: 1, Genre: client.BookInsertGenreNovel, Published: 1814}
	}
	var one, two client.BookInsertBody
	try(0, one.FromBookInsert(book("Zebra one")))
	try(0, two.FromBookInsertBody1([]client.BookInsert{book("Zebra two"), book("Zebra three")}))
	rows := p(client.PreferInsertHeader("return=representation"))
	first := *try(api.InsertBooksWithResponse(ctx, &client.InsertBooksParams{PreferInsertHeader: rows}, one)).JSON201
	others := *try(api.InsertBooksWithResponse(ctx, &client.InsertBooksParams{PreferInsertHeader: rows}, two)).JSON201
	id := "eq." + string(try(json.Marshal(first[0].Id)))
	var loan client.LoanInsertBody
	try(0, loan.FromLoanInsert(client.LoanInsert{BookId: *first[0].Id}))
	silent := try(api.InsertLoansWithResponse(ctx, &client.InsertLoansParams{}, loan))
	listed := *try(api.ListBooksWithResponse(ctx, &client.ListBooksParams{
		Title: p("like.Zebra*"), Select: p("title,authors(name)"), Order: p("title"),
	})).JSON200
	// A member that is not given is not sent.
	updated := *try(api.UpdateBooksWithResponse(ctx,
		&client.UpdateBooksParams{Id: &id, PreferUpdateHeader: p("return=representation")},
		client.BookUpdate{Tags: &[]*string{p("striped")}})).JSON200
	found := *try(api.CallSearchBooksWithResponse(ctx, nil, client.SearchBooksArguments{Query: p("zebra")})).JSON200
	got := *try(api.GetSearchBooksWithResponse(ctx, &client.GetSearchBooksParams{Query: "zebra", Limit: p(1)})).JSON200
	try(api.DeleteLoansWithResponse(ctx, &client.DeleteLoansParams{BookId: &id}))
	deleted := *try(api.DeleteBooksWithResponse(ctx, &client.DeleteBooksParams{
		Title: p("like.Zebra*"), PreferDeleteHeader: p("return=representation"),
	})).JSON200
	refused := try(api.ListBooksWithResponse(ctx, &client.ListBooksParams{Id: p("eq.one")})).JSON400
	titles := [][]string{}
	for _, book := range listed {
		titles = append(titles, []string{*book.Title, *book.Authors.Name})
	}
	try(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"created": []string{*first[0].Title, *others[0].Title, *others[1].Title},
		"silent":  silent.StatusCode(),
		"listed":  titles,
		"updated": updated[0].Tags,
		"found":   len(found),
		"got":     len(got),
		"deleted": len(deleted),
		"refused": refused.Code,
	}))
}
