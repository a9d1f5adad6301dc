package bench;

import java.util.Arrays;

/** Counts operations and keeps their latencies; many threads add to it. */
final class Sample {
  private static final int SHOWN = 10_000;

  private long[] nanos = new long[1 << 16];
  private int count;
  private long operations;
  private long refused;
  private long startNanos = System.nanoTime();
  private long endNanos;

  synchronized void add(long latencyNanos, int messages) {
    if (count == nanos.length) nanos = Arrays.copyOf(nanos, count * 2);
    nanos[count++] = latencyNanos;
    operations += messages;
  }

  /** The broker was too busy to take one; it is tried again, and is no operation. */
  synchronized void refuse() {
    refused++;
  }

  synchronized int size() {
    return count;
  }

  /** Time counts from here on. */
  synchronized void begin() {
    startNanos = System.nanoTime();
  }

  Sample end() {
    endNanos = System.nanoTime();
    return this;
  }

  static Sample of(long messages, long startNanos) {
    Sample sample = new Sample();
    sample.operations = messages;
    sample.endNanos = sample.startNanos + System.nanoTime() - startNanos;
    return sample;
  }

  String json() {
    StringBuilder json = new StringBuilder("{\"operations\":").append(operations);
    json.append(",\"elapsedMs\":").append((endNanos - startNanos) / 1e6);
    json.append(",\"refused\":").append(refused);
    json.append(",\"latenciesMs\":[");
    int step = Math.max(1, count / SHOWN);
    for (int at = 0; at < count; at += step) {
      if (at > 0) json.append(',');
      json.append(nanos[at] / 1e6);
    }
    return json.append("]}").toString();
  }
}
