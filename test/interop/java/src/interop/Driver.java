package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Runs the official clients. It reads lines "run NAME" and "use ADDRESS" (of a name server) from its
 * input and prints one JSON object a line; the last one of a scenario is {"end":NAME}, with "error"
 * when it threw. It judges nothing.
 */
public final class Driver {
  interface Scenario {
    void run(Driver driver) throws Exception;
  }

  String nameServer;
  private final BufferedReader input =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  private Driver(String nameServer) {
    this.nameServer = nameServer;
    Producers.register(scenarios);
    Transactions.register(scenarios);
    PushConsumers.register(scenarios);
    OtherConsumers.register(scenarios);
  }

  public static void main(String[] args) throws Exception {
    Driver driver = new Driver(args[0]);
    driver.say("ready", true);
    for (String line; (line = driver.input.readLine()) != null; ) {
      if (line.startsWith("use ")) driver.nameServer = line.substring(4);
      if (line.startsWith("run ")) driver.run(line.substring(4));
    }
    System.exit(0);
  }

  private void run(String name) {
    Object error = null;
    try {
      scenarios.get(name).run(this);
    } catch (Throwable thrown) {
      error = String.valueOf(thrown);
    }
    if (error == null) say("end", name);
    else say("end", name, "error", error);
  }

  /** Waits until the judge says "go". */
  void awaitGo(String why) throws Exception {
    say("waiting", why);
    for (String line; (line = input.readLine()) != null; ) if (line.equals("go")) return;
  }

  /** One line: names and values by turns. */
  synchronized void say(Object... pairs) {
    StringBuilder json = new StringBuilder("{");
    for (int at = 0; at < pairs.length; at += 2) {
      if (at > 0) json.append(',');
      json.append(text(String.valueOf(pairs[at]))).append(':').append(value(pairs[at + 1]));
    }
    byte[] bytes = json.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
    System.out.write(bytes, 0, bytes.length);
    System.out.flush();
  }

  private static String value(Object value) {
    if (value == null || value instanceof Number || value instanceof Boolean) return "" + value;
    return text(value.toString());
  }

  private static String text(String plain) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char each : plain.toCharArray()) {
      if (each == '"' || each == '\\') quoted.append('\\').append(each);
      else if (each < ' ') quoted.append(String.format("\\u%04x", (int) each));
      else quoted.append(each);
    }
    return quoted.append('"').toString();
  }

  /** Waits until the condition holds, at most so long; says nothing of how it went. */
  static void await(long ms, java.util.function.BooleanSupplier condition) throws Exception {
    long until = System.currentTimeMillis() + ms;
    while (!condition.getAsBoolean() && System.currentTimeMillis() < until) Thread.sleep(20);
  }
}
