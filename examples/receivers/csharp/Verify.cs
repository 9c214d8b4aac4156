// Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
// SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;

public static class Verify
{
    /// <summary>Whether one of the secrets signed the request. The body is exactly as it arrived.</summary>
    public static bool Genuine(byte[] body, IDictionary<string, string> headers, IEnumerable<string> secrets)
    {
        return secrets.Any(secret =>
            Same(Header(headers, "plexus-webhook-signature"), PageSignature(body, secret))
            || Same(Header(headers, "plexus-webhook-signature-alternate"), PageSignature(body, secret))
            || Header(headers, "webhook-signature").Split(' ')
                .Any(entry => Same(entry, StandardSignature(body, headers, secret))));
    }

    static string PageSignature(byte[] body, string secret)
    {
        using (var hmac = new HMACSHA512(Encoding.UTF8.GetBytes(secret)))
        {
            return BitConverter.ToString(hmac.ComputeHash(body)).Replace("-", "").ToLowerInvariant();
        }
    }

    static string StandardSignature(byte[] body, IDictionary<string, string> headers, string secret)
    {
        var head = Header(headers, "webhook-id") + "." + Header(headers, "webhook-timestamp") + ".";
        using (var hmac = new HMACSHA256(StandardKey(secret)))
        {
            return "v1," + Convert.ToBase64String(hmac.ComputeHash(Encoding.UTF8.GetBytes(head).Concat(body).ToArray()));
        }
    }

    static string Header(IDictionary<string, string> headers, string name)
    {
        string value;
        return headers.TryGetValue(name, out value) ? value : "";
    }

    // In constant time.
    static bool Same(string given, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(expected));

    // The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
    static byte[] StandardKey(string secret)
    {
        if (secret.StartsWith("whsec_", StringComparison.Ordinal))
        {
            try
            {
                var key = Convert.FromBase64String(secret.Substring(6));
                if (key.Length >= 24 && key.Length <= 64) return key;
            }
            catch (FormatException)
            {
                // A secret that its owner chose.
            }
        }
        return Encoding.UTF8.GetBytes(secret);
    }

    public static int Main()
    {
        var body = new MemoryStream();
        Console.OpenStandardInput().CopyTo(body);
        var headers = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(variable => ((string)variable.Key).StartsWith("HTTP_", StringComparison.Ordinal))
            .ToDictionary(
                variable => ((string)variable.Key).Substring(5).Replace('_', '-'),
                variable => (string)variable.Value,
                StringComparer.OrdinalIgnoreCase);
        var secrets = new[] { "SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET" }
            .Select(Environment.GetEnvironmentVariable)
            .Where(secret => !string.IsNullOrEmpty(secret)); // with an empty secret anybody could sign
        var isGenuine = Genuine(body.ToArray(), headers, secrets);
        Console.WriteLine(isGenuine ? "genuine" : "forged");
        return isGenuine ? 0 : 1;
    }
}
