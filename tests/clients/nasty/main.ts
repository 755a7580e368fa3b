// Builds the registry of the generated file, as every program does that imports it, and a message with each column.
import { create, toJson } from "@bufbuild/protobuf";
import { file_api_v1_api, PatientSchema } from "./gen/api/v1/api_pb";

const patient = create(PatientSchema, { id: 1, fullName: "plain" });
console.log(JSON.stringify({ messages: file_api_v1_api.messages.length, patient: toJson(PatientSchema, patient) }));
