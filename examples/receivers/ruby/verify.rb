# Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
# SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
require "openssl"

# Whether one of the secrets signed the request. The body is exactly as it arrived; the headers are named as Rack does.
def genuine?(body, headers, secrets)
  secrets.any? do |secret|
    page = OpenSSL::HMAC.hexdigest("SHA512", secret, body)
    signed = "#{headers['HTTP_WEBHOOK_ID']}.#{headers['HTTP_WEBHOOK_TIMESTAMP']}.".b + body
    standard = "v1,#{[OpenSSL::HMAC.digest('SHA256', standard_key(secret), signed)].pack('m0')}"

    same?(headers["HTTP_PLEXUS_WEBHOOK_SIGNATURE"], page) ||
      same?(headers["HTTP_PLEXUS_WEBHOOK_SIGNATURE_ALTERNATE"], page) ||
      headers.fetch("HTTP_WEBHOOK_SIGNATURE", "").split(" ").any? { |entry| same?(entry, standard) }
  end
end

# In constant time.
def same?(given, expected)
  OpenSSL.secure_compare(given.to_s, expected)
end

# The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
def standard_key(secret)
  return secret unless secret.start_with?("whsec_")

  key = secret.delete_prefix("whsec_").unpack1("m0")
  key.bytesize.between?(24, 64) ? key : secret
rescue ArgumentError # not base64: a secret that its owner chose
  secret
end

secrets = ENV.values_at("SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET").compact
secrets.reject!(&:empty?) # with an empty secret anybody could sign
is_genuine = genuine?($stdin.binmode.read, ENV, secrets)
puts is_genuine ? "genuine" : "forged"
exit is_genuine
