// Calls that fail, by Go's gRPC client: with one answer and with a stream of them.
// Prints one JSON object, what the client made of each; the Rust test judges it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	library "example.com/library/gen/api/v1"
)

// Compression that no server has.
type snappy struct{}

type unclosed struct{ io.Writer }

func (unclosed) Close() error                                 { return nil }
func (snappy) Name() string                                   { return "snappy" }
func (snappy) Compress(out io.Writer) (io.WriteCloser, error) { return unclosed{out}, nil }
func (snappy) Decompress(in io.Reader) (io.Reader, error)     { return in, nil }

// Makes a call and takes all of its answers.
type call func(ctx context.Context, path string, request proto.Message, options ...grpc.CallOption) error

func unary(connection *grpc.ClientConn, answer func() proto.Message) call {
	return func(ctx context.Context, path string, request proto.Message, options ...grpc.CallOption) error {
		return connection.Invoke(ctx, path, request, answer(), options...)
	}
}

func streamed(connection *grpc.ClientConn, answer func() proto.Message) call {
	return func(ctx context.Context, path string, request proto.Message, options ...grpc.CallOption) error {
		stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path, options...)
		if err != nil {
			return err
		}
		// Of a message that was refused while it was sent, the answer tells why.
		if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		for {
			if err := stream.RecvMsg(answer()); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

var names = map[codes.Code]string{
	codes.InvalidArgument:   "INVALID_ARGUMENT",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Unimplemented:     "UNIMPLEMENTED",
	codes.Unauthenticated:   "UNAUTHENTICATED",
}

func outcome(err error) string {
	if err == nil {
		return "OK"
	}
	failed := status.Convert(err)
	name, known := names[failed.Code()]
	if !known {
		name = failed.Code().String() + ": " + failed.Message()
	}
	for _, detail := range failed.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			name += " " + info.GetReason()
		}
	}
	return name
}

func failures(connection *grpc.ClientConn) {
	encoding.RegisterCompressor(snappy{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	forged := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer x.y.z")
	filter := func(text string) proto.Message { return &library.ListBooksRequest{Filter: text} }
	large := func(size int) proto.Message { return filter(strings.Repeat("x", size)) }
	none := &library.ListBooksRequest{}
	const books = "/api.v1.BooksService/"
	seen := map[string]map[string]string{}
	for kind, verbs := range map[string][2]string{"unary": {"List", "Stream"}, "stream": {"Stream", "List"}} {
		// Whatever it answers, it is not looked at.
		call := map[string]call{
			"unary":  unary(connection, func() proto.Message { return &library.ListBooksResponse{} }),
			"stream": streamed(connection, func() proto.Message { return &library.ListBooksResponse{} }),
		}[kind]
		verb, other := verbs[0], verbs[1]
		loans := "/api.v1.LoansService/" + verb + "Loans"
		seen[kind] = map[string]string{
			"fine":            outcome(call(ctx, books+verb+"Books", none)),
			"tooLarge":        outcome(call(ctx, books+verb+"Books", large(6<<20))),
			"compression":     outcome(call(ctx, books+verb+"Books", none, grpc.UseCompressor("snappy"))),
			"method":          outcome(call(ctx, books+"Burn", large(1<<20))),
			"service":         outcome(call(ctx, "/api.v1.ScrollsService/"+verb+"Scrolls", none)),
			"kind":            outcome(call(ctx, books+other+"Books", none)),
			"unauthenticated": outcome(call(ctx, loans, none)),
			"token":           outcome(call(forged, loans, large(1<<20))),
			"argument":        outcome(call(ctx, books+verb+"Books", filter("title"))),
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		log.Fatal(err)
	}
}
