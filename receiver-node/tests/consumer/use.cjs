// The package in a program that is no module: its types of errors are the ones that it throws.
const { Receiver, MissingHeader } = require("signalpost-receiver");

try {
  new Receiver({ secrets: "a secret of mine" }).verify(Buffer.from("{}"), {});
} catch (error) {
  console.log(error instanceof MissingHeader, error.status);
}
