// A Go gRPC client with stubs from the exported protos: lists, creates, streams.
// Prints one JSON object; the Rust test judges it.
//
// usage: main ADDRESS TOKEN, or main ADDRESS failures
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	library "example.com/library/gen/api/v1"
	query "example.com/library/gen/pgduet/query/v1"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func pointer[T any](value T) *T {
	return &value
}

func main() {
	connection := must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer connection.Close()
	if os.Args[2] == "failures" {
		failures(connection)
		return
	}
	anonymous, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx := metadata.AppendToOutgoingContext(anonymous, "authorization", "Bearer "+os.Args[2])
	books := library.NewBooksServiceClient(connection)
	loans := library.NewLoansServiceClient(connection)

	page := must(books.ListBooks(ctx, &library.ListBooksRequest{
		PageSize: 2,
		OrderBy:  "id",
		Where: &library.BookWhere{
			Title: &query.TextPredicate{Like: pointer("The%")},
		},
		ReadMask: &fieldmaskpb.FieldMask{Paths: []string{"title", "added_at", "author.name"}},
		Count:    query.CountMode_COUNT_MODE_EXACT,
	}))
	created := must(loans.CreateLoan(ctx, &library.CreateLoanRequest{Loan: &library.Loan{BookId: pointer(int32(7))}}))

	var streamed []string
	stream := must(books.StreamBooks(ctx, &library.StreamBooksRequest{OrderBy: "title"}))
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		streamed = append(streamed, must(answer, err).GetBook().GetTitle())
	}

	_, err := loans.ListLoans(anonymous, &library.ListLoansRequest{})
	refused := status.Convert(err)
	reason := ""
	for _, detail := range refused.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			reason = info.GetReason()
		}
	}

	listed := []string{}
	for _, book := range page.GetBooks() {
		listed = append(listed, book.GetTitle()+" by "+book.GetAuthor().GetName())
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{
		"listed":   listed,
		"added":    page.GetBooks()[0].GetAddedAt().AsTime().Format(time.RFC3339),
		"total":    page.GetTotalSize(),
		"member":   created.GetLoan().GetMember(),
		"returned": created.GetLoan().ReturnedOn != nil,
		"streamed": streamed,
		"refused":  refused.Code().String(),
		"reason":   reason,
	}); err != nil {
		log.Fatal(err)
	}
}
