// The OTLP receiver of the OpenTelemetry Collector, which writes what it receives to standard output: a line with its
// addresses, of gRPC and of HTTP, then the spans of each export as OTLP's JSON. It ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	var lock sync.Mutex
	marshaler := ptrace.JSONMarshaler{}
	sink, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		line, err := marshaler.MarshalTraces(traces)
		if err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		_, err = fmt.Printf("%s\n", line)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	factory := otlpreceiver.NewFactory()
	for attempt := 0; ; attempt++ {
		grpc, http := free(), free()
		config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
		config.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = grpc
		config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = http
		settings := receivertest.NewNopSettings(factory.Type())
		receiver, err := factory.CreateTraces(context.Background(), settings, config, sink)
		if err != nil {
			log.Fatal(err)
		}
		err = receiver.Start(context.Background(), componenttest.NewNopHost())
		if err == nil {
			lock.Lock()
			fmt.Printf("%s %s\n", grpc, http)
			lock.Unlock()
			break
		}
		// Somebody else has taken one of the ports.
		if attempt == 10 {
			log.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// An address that is free at the moment.
func free() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
