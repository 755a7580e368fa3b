// The awkward schema with the client that openapi-generator makes for Go: arguments are the server's address and a token.
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
	rows := "return=representation"
	person := client.NewPersonInsert(50, "Zoe")
	person.SetBoss(1)
	created := try(api.PeopleAPI.InsertPeople(ctx).PersonInsertBody(client.PersonInsertAsPersonInsertBody(person)).Prefer(rows).Execute())
	listed := try(api.PeopleAPI.ListPeople(ctx).Name("eq.Zoe").Select_("id,name,initials").Execute())
	update := client.NewPersonUpdate()
	update.SetName("Zoë")
	updated := try(api.PeopleAPI.UpdatePeople(ctx).Id("eq.50").PersonUpdate(*update).Prefer(rows).Execute())
	deleted := try(api.PeopleAPI.DeletePeople(ctx).Id("eq.50").Prefer(rows).Execute())
	reserved := client.NewReservedRowInsert()
	reserved.SetOrder("first")
	reserved.SetLimit(3)
	odd := try(api.ReservedAPI.InsertReserved(ctx).ReservedRowInsertBody(client.ReservedRowInsertAsReservedRowInsertBody(reserved)).Prefer(rows).Execute())
	everything := try(api.EverythingAPI.ListEverything(ctx).Execute())
	arguments := client.NewAddArguments(*client.NewNullableInt32(client.PtrInt32(40)))
	arguments.SetB(2)
	added := try(api.RpcAddAPI.CallAdd(ctx).AddArguments(*arguments).Execute())
	summed := try(api.RpcVariadicSumAPI.GetVariadicSum(ctx).List([]*int32{client.PtrInt32(1), client.PtrInt32(2), client.PtrInt32(3)}).Execute())
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"created": created[0].Name,
		"listed":  listed[0].Name,
		"updated": updated[0].Name,
		"deleted": len(deleted),
		"odd":     odd[0].Order,
		"whole":   everything[0].Whole,
		"list":    everything[0].List,
		"added":   added,
		"summed":  summed,
	})
}
