package bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Puts load on a broker with the official client. It reads one line per row of the benchmark and
 * prints one line of JSON for each: operations, milliseconds, and latencies of some of them.
 */
public final class Load {
  public static void main(String[] args) throws Exception {
    Sending sending = new Sending(args[0]);
    Consuming consuming = new Consuming(args[0], sending);
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = input.readLine()) != null; ) {
      String[] words = line.split(" ");
      int[] n = new int[3];
      for (int at = 1; at < words.length; at++) n[at - 1] = Integer.parseInt(words[at]);
      try {
        say(run(sending, consuming, words[0], n).json());
      } catch (Throwable error) {
        say("{\"error\":\"" + String.valueOf(error).replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"}");
      }
    }
    System.exit(0);
  }

  private static Sample run(Sending sending, Consuming consuming, String row, int[] n)
      throws Exception {
    switch (row) {
      case "warm":
        return sending.warm(n[0]);
      case "sends":
        return sending.sends(n[0], n[1]);
      case "batches":
        return sending.batches(n[0], n[1], n[2]);
      case "transactions":
        return sending.transactions(n[0], n[1]);
      case "consume":
        return consuming.backlog(n[0]);
      case "end-to-end":
        return consuming.endToEnd(n[0], n[1]);
      default:
        throw new IllegalArgumentException(row);
    }
  }

  private static void say(String json) {
    byte[] bytes = (json + "\n").getBytes(StandardCharsets.UTF_8);
    System.out.write(bytes, 0, bytes.length);
    System.out.flush();
  }
}
