// The awkward schema with the client that oapi-codegen makes: arguments are the server's address and a token.
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
	rows := "return=representation"
	var person client.PersonInsertBody
	try(0, person.FromPersonInsert(client.PersonInsert{Id: 50, Name: "Zoe", Boss: p(int32(1))}))
	created := *try(api.InsertPeopleWithResponse(ctx, &client.InsertPeopleParams{PreferInsertHeader: &rows}, person)).JSON201
	listed := *try(api.ListPeopleWithResponse(ctx, &client.ListPeopleParams{
		Name: p("eq.Zoe"), Select: p("id,name,initials"),
	})).JSON200
	updated := *try(api.UpdatePeopleWithResponse(ctx,
		&client.UpdatePeopleParams{Id: p("eq.50"), PreferUpdateHeader: &rows},
		client.PersonUpdate{Name: p("Zoë")})).JSON200
	deleted := *try(api.DeletePeopleWithResponse(ctx, &client.DeletePeopleParams{
		Id: p("eq.50"), PreferDeleteHeader: &rows,
	})).JSON200
	var reserved client.ReservedRowInsertBody
	try(0, reserved.FromReservedRowInsert(client.ReservedRowInsert{Order: p("first"), Limit: p(int32(3))}))
	odd := *try(api.InsertReservedWithResponse(ctx, &client.InsertReservedParams{PreferInsertHeader: &rows}, reserved)).JSON201
	everything := *try(api.ListEverythingWithResponse(ctx, nil)).JSON200
	added := *try(api.CallAddWithResponse(ctx, nil, client.AddArguments{A: p(int32(40)), B: p(int32(2))})).JSON200
	summed := *try(api.GetVariadicSumWithResponse(ctx, &client.GetVariadicSumParams{
		List: &[]*int32{p(int32(1)), p(int32(2)), p(int32(3))},
	})).JSON200
	try(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"created": created[0].Name,
		"listed":  listed[0].Name,
		"updated": updated[0].Name,
		"deleted": len(deleted),
		"odd":     odd[0].Order,
		"whole":   everything[0].Whole,
		"list":    everything[0].List,
		"added":   added,
		"summed":  summed,
	}))
}
