# Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
# SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
defmodule Verify do
  @doc "Whether one of the secrets signed the request. The body is exactly as it arrived, header names in lower case."
  def genuine?(body, headers, secrets) do
    Enum.any?(secrets, fn secret ->
      page = :crypto.mac(:hmac, :sha512, secret, body) |> Base.encode16(case: :lower)
      signed = [headers["webhook-id"] || "", ".", headers["webhook-timestamp"] || "", ".", body]
      standard = "v1," <> Base.encode64(:crypto.mac(:hmac, :sha256, standard_key(secret), signed))

      same?(headers["plexus-webhook-signature"], page) or
        same?(headers["plexus-webhook-signature-alternate"], page) or
        (headers["webhook-signature"] || "") |> String.split(" ") |> Enum.any?(&same?(&1, standard))
    end)
  end

  # In constant time; `hash_equals` wants equal lengths, and a length is no secret.
  defp same?(given, expected) do
    is_binary(given) and byte_size(given) == byte_size(expected) and :crypto.hash_equals(given, expected)
  end

  # The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
  defp standard_key("whsec_" <> encoded = secret) do
    case Base.decode64(encoded) do
      {:ok, key} when byte_size(key) in 24..64 -> key
      _ -> secret
    end
  end

  defp standard_key(secret), do: secret
end

headers =
  for {"HTTP_" <> name, value} <- System.get_env(), into: %{} do
    {name |> String.downcase() |> String.replace("_", "-"), value}
  end

secrets =
  for name <- ["SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET"],
      secret = System.get_env(name),
      # with an empty secret anybody could sign
      secret != "",
      do: secret

# Latin-1 is how standard input gives bytes as they are.
:ok = :io.setopts(:standard_io, encoding: :latin1)
body = with :eof <- IO.binread(:stdio, :eof), do: ""
genuine = Verify.genuine?(body, headers, secrets)
IO.puts(if genuine, do: "genuine", else: "forged")
System.halt(if genuine, do: 0, else: 1)
