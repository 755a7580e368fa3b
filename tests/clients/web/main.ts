// The official browser clients with code generated from the exported protos: lists, creates, streams, is refused, over
// gRPC-Web and over Connect. Bundled into one script that a page loads; it leaves `drive` for the page to call.
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BooksService, Genre, LoansService } from "./gen/api/v1/api_pb";

type Protocol = "grpcWeb" | "connect";

function transport(protocol: Protocol, baseUrl: string): Transport {
  switch (protocol) {
    case "grpcWeb":
      return createGrpcWebTransport({ baseUrl });
    case "connect":
      // Methods without side effects go by GET.
      return createConnectTransport({ baseUrl, useHttpGet: true });
  }
}

async function drive(protocol: Protocol, url: string, token: string, bookId: number) {
  const headers = { authorization: `Bearer ${token}` };
  const books = createClient(BooksService, transport(protocol, url));
  const loans = createClient(LoansService, transport(protocol, url));

  const page = await books.listBooks({
    pageSize: 2,
    orderBy: "id",
    where: { genre: { eq: Genre.SCIENCE_FICTION } },
    readMask: { paths: ["title", "genre", "added_at"] },
  });
  const [first] = page.books;
  const created = await loans.createLoan({ loan: { bookId } }, { headers });
  const streamed: string[] = [];
  for await (const answer of books.streamBooks({ orderBy: "title" })) {
    streamed.push(answer.book?.title ?? "");
  }
  const refused = await loans.createLoan({ loan: { bookId } }, { headers }).then(
    () => "nothing",
    (error) => {
      const { code, details } = ConnectError.from(error);
      const types = details.map((detail) => ("type" in detail ? detail.type : detail.desc.typeName));
      return `${Code[code]} ${types.join(" ")}`;
    },
  );
  return {
    listed: page.books.map((book) => book.title),
    genre: first.genre === undefined ? "" : Genre[first.genre],
    added: first.addedAt === undefined ? "" : timestampDate(first.addedAt).toISOString(),
    more: page.nextPageToken !== "",
    member: created.loan?.member,
    streamed,
    refused,
  };
}

Object.assign(globalThis, { drive });
