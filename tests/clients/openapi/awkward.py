# The awkward schema with the client that openapi-generator makes for Python: argv is where it is, the server's address and
# a token.
import json
import sys

sys.path.insert(0, sys.argv[1])
import client  # noqa: E402

configuration = client.Configuration(host=sys.argv[2], access_token=sys.argv[3])
with client.ApiClient(configuration) as api:
    people = client.PeopleApi(api)
    rows = "return=representation"
    created = people.insert_people(client.PersonInsertBody(client.PersonInsert(id=50, name="Zoe", boss=1)), prefer=rows)
    listed = people.list_people(name="eq.Zoe", select="id,name,initials")
    updated = people.update_people(client.PersonUpdate(name="Zoë"), id="eq.50", prefer=rows)
    deleted = people.delete_people(id="eq.50", prefer=rows)
    reserved = client.ReservedApi(api)
    odd = reserved.insert_reserved(client.ReservedRowInsertBody(client.ReservedRowInsert(order="first", limit=3)), prefer=rows)
    partly = client.PartlyApi(api).insert_partly(client.PartlyRowInsertBody(client.PartlyRowInsert(shown="yes")))
    everything = client.EverythingApi(api).list_everything()[0]
    added = client.RpcAddApi(api).call_add(client.AddArguments(a=40, b=2))
    summed = client.RpcVariadicSumApi(api).get_variadic_sum(list=[1, 2, 3])
    print(json.dumps({
        "created": created[0].name,
        "listed": listed[0].name,
        "updated": updated[0].name,
        "deleted": len(deleted),
        "odd": odd[0].order,
        "whole": everything.whole,
        "list": everything.list,
        "added": added,
        "summed": summed,
    }))
