// Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
// SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
    /** Whether one of the secrets signed the request. The body is exactly as it arrived. */
    static boolean genuine(byte[] body, Map<String, String> headers, List<String> secrets)
            throws GeneralSecurityException {
        for (String secret : secrets) {
            String page = HexFormat.of().formatHex(hmac("HmacSHA512", secret.getBytes(UTF_8), body));
            if (same(headers.get("plexus-webhook-signature"), page)) return true;
            if (same(headers.get("plexus-webhook-signature-alternate"), page)) return true;
            String signed = headers.get("webhook-id") + "." + headers.get("webhook-timestamp") + ".";
            byte[] mac = hmac("HmacSHA256", standardKey(secret), signed.getBytes(UTF_8), body);
            String standard = "v1," + Base64.getEncoder().encodeToString(mac);
            for (String entry : headers.getOrDefault("webhook-signature", "").split(" ")) {
                if (same(entry, standard)) return true;
            }
        }
        return false;
    }

    static byte[] hmac(String algorithm, byte[] key, byte[]... parts) throws GeneralSecurityException {
        Mac mac = Mac.getInstance(algorithm);
        mac.init(new SecretKeySpec(key, algorithm));
        for (byte[] part : parts) mac.update(part);
        return mac.doFinal();
    }

    /** In constant time. */
    static boolean same(String given, String expected) {
        return given != null && MessageDigest.isEqual(given.getBytes(UTF_8), expected.getBytes(UTF_8));
    }

    /** The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes. */
    static byte[] standardKey(String secret) {
        if (secret.startsWith("whsec_")) {
            try {
                byte[] key = Base64.getDecoder().decode(secret.substring(6));
                if (key.length >= 24 && key.length <= 64) return key;
            } catch (IllegalArgumentException notBase64) {
                // A secret that its owner chose.
            }
        }
        return secret.getBytes(UTF_8);
    }

    public static void main(String[] arguments) throws IOException, GeneralSecurityException {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        System.getenv().forEach((name, value) -> {
            if (name.startsWith("HTTP_")) headers.put(name.substring(5).replace('_', '-'), value);
        });
        List<String> secrets = Stream.of("SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET")
                .map(System::getenv)
                .filter(secret -> secret != null && !secret.isEmpty()) // with an empty secret anybody could sign
                .toList();
        boolean isGenuine = genuine(System.in.readAllBytes(), headers, secrets);
        System.out.println(isGenuine ? "genuine" : "forged");
        System.exit(isGenuine ? 0 : 1);
    }
}
