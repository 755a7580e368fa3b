# The demo with the client that openapi-generator makes for Python: argv is where it is, the server's address and a token.
import json
import sys

sys.path.insert(0, sys.argv[1])
import client  # noqa: E402

configuration = client.Configuration(host=sys.argv[2], access_token=sys.argv[3])
with client.ApiClient(configuration) as api:
    books = client.BooksApi(api)
    rows = "return=representation"

    def book(title):
        return client.BookInsert(title=title, author_id=1, genre="novel", published=1814)

    one = books.insert_books(client.BookInsertBody(book("Zebra one")), prefer=rows)
    two = books.insert_books(client.BookInsertBody([book("Zebra two"), book("Zebra three")]), prefer=rows)
    # Without a preference there is no answer.
    loans = client.LoansApi(api)
    silent = loans.insert_loans_with_http_info(client.LoanInsertBody(client.LoanInsert(book_id=one[0].id)))
    listed = books.list_books(title="like.Zebra*", select="title,authors(name)", order="title")
    updated = books.update_books(client.BookUpdate(pages=None, tags=["striped"]), id=f"eq.{one[0].id}", prefer=rows)
    found = client.RpcSearchBooksApi(api).call_search_books(client.SearchBooksArguments(query="zebra"))
    got = client.RpcSearchBooksApi(api).get_search_books(query="zebra", limit=1)
    loans.delete_loans(book_id=f"eq.{one[0].id}", prefer="return=minimal")
    deleted = books.delete_books(title="like.Zebra*", prefer=rows)
    try:
        books.list_books(id="eq.one")
        refused = None
    except client.exceptions.BadRequestException as error:
        refused = json.loads(error.body)["code"]
    print(json.dumps({
        "created": [book.title for book in one + two],
        "silent": silent.status_code,
        "listed": [[book.title, book.authors.name] for book in listed],
        "updated": updated[0].tags,
        "found": len(found),
        "got": len(got),
        "deleted": len(deleted),
        "refused": refused,
    }))
