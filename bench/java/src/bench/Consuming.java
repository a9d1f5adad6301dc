package bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** The rows with a push consumer, its settings left alone. */
final class Consuming {
  private final String nameServer;
  private final Sending sending;
  private int topics;

  Consuming(String nameServer, Sending sending) {
    this.nameServer = nameServer;
    this.sending = sending;
  }

  private DefaultMQPushConsumer start(String topic, MessageListenerConcurrently listener)
      throws Exception {
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("g-" + topic);
    consumer.setNamesrvAddr(nameServer);
    consumer.setInstanceName("g-" + topic);
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe(topic, "*");
    consumer.registerMessageListener(listener);
    consumer.start();
    return consumer;
  }

  /** From the first message to the last; the offsets are committed later, in the background. */
  Sample backlog(int messages) throws Exception {
    String topic = "made-" + ++topics;
    for (int left = messages; left > 0; left -= 500) sending.store(topic, Math.min(left, 500));
    AtomicLong handled = new AtomicLong();
    AtomicLong firstNanos = new AtomicLong();
    CountDownLatch done = new CountDownLatch(1);
    DefaultMQPushConsumer consumer =
        start(
            topic,
            (batch, context) -> {
              firstNanos.compareAndSet(0, System.nanoTime());
              if (handled.addAndGet(batch.size()) >= messages) done.countDown();
              return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
    boolean isDone = done.await(120, TimeUnit.SECONDS);
    Sample sample = Sample.of(messages, firstNanos.get());
    consumer.shutdown();
    if (!isDone) throw new Exception(handled + " of " + messages + " were handled");
    return sample;
  }

  Sample endToEnd(int perSecond, int ms) throws Exception {
    String topic = "made-" + ++topics;
    int wanted = (int) ((long) perSecond * ms / 1000);
    sending.store(topic, 8);
    Sample sample = new Sample();
    CountDownLatch begun = new CountDownLatch(8);
    CountDownLatch done = new CountDownLatch(wanted);
    DefaultMQPushConsumer consumer =
        start(
            topic,
            (batch, context) -> {
              long now = System.nanoTime();
              for (var message : batch) {
                String body = new String(message.getBody(), UTF_8).trim();
                if (body.startsWith("x")) begun.countDown();
                else {
                  sample.add(now - Long.parseLong(body), 1);
                  done.countDown();
                }
              }
              return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
    // Every consumer begins with the messages before it, so that its first balancing is over.
    begun.await(60, TimeUnit.SECONDS);
    sample.begin();
    long startNanos = System.nanoTime();
    for (int n = 0; n < wanted; n++) {
      long due = startNanos + n * 1_000_000_000L / perSecond;
      for (long now; (now = System.nanoTime()) < due; ) LockSupport.parkNanos(due - now);
      byte[] body = new byte[128];
      Arrays.fill(body, (byte) ' ');
      byte[] text = String.valueOf(System.nanoTime()).getBytes(UTF_8);
      System.arraycopy(text, 0, body, 0, text.length);
      sending.send(new Message(topic, body), ignored);
    }
    boolean isDone = done.await(60, TimeUnit.SECONDS);
    consumer.shutdown();
    if (!isDone) throw new Exception(done.getCount() + " of " + wanted + " never came");
    return sample.end();
  }

  private static final SendCallback ignored =
      new SendCallback() {
        @Override
        public void onSuccess(SendResult result) {}

        @Override
        public void onException(Throwable error) {}
      };
}
