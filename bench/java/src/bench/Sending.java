package bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.ResponseCode;

/** Every row that sends. */
final class Sending {
  /** Above so many callers they are asynchronous: a thread for each would measure the threads. */
  private static final int THREADS_MAX = 64;
  private static final byte[] BODY = new byte[128];

  static {
    Arrays.fill(BODY, (byte) 'x');
  }

  private final DefaultMQProducer producer;
  private final TransactionMQProducer transactional;

  Sending(String nameServer) throws Exception {
    producer = new DefaultMQProducer("bench");
    producer.setNamesrvAddr(nameServer);
    producer.setDefaultTopicQueueNums(8);
    producer.setInstanceName("bench");
    producer.start();
    transactional = new TransactionMQProducer("bench-transactions");
    transactional.setNamesrvAddr(nameServer);
    transactional.setDefaultTopicQueueNums(8);
    transactional.setInstanceName("bench-transactions");
    transactional.setTransactionListener(
        new TransactionListener() {
          @Override
          public LocalTransactionState executeLocalTransaction(Message message, Object arg) {
            return LocalTransactionState.COMMIT_MESSAGE;
          }

          @Override
          public LocalTransactionState checkLocalTransaction(MessageExt message) {
            return LocalTransactionState.COMMIT_MESSAGE;
          }
        });
    transactional.start();
  }

  interface Call {
    void run() throws Exception;
  }

  /** Until the broker is known to the name server, then so long to warm up. */
  Sample warm(int ms) throws Exception {
    for (int tries = 0; ; tries++) {
      try {
        producer.send(new Message("sent", BODY), 10_000);
        break;
      } catch (Exception error) {
        if (tries == 100) throw error;
        Thread.sleep(100);
      }
    }
    batches(16, 100, ms / 4);
    transactions(64, ms / 4);
    sends(64, ms / 4);
    return sends(1024, ms / 4);
  }

  Sample sends(int callers, int ms) throws Exception {
    if (callers > THREADS_MAX) return asynchronous(callers, ms);
    return threads(callers, ms, 1, () -> producer.send(new Message("sent", BODY)));
  }

  Sample batches(int callers, int messages, int ms) throws Exception {
    return threads(callers, ms, messages, () -> batchTo("batched", messages));
  }

  void batchTo(String topic, int messages) throws Exception {
    List<Message> batch = new ArrayList<>(messages);
    for (int n = 0; n < messages; n++) batch.add(new Message(topic, BODY));
    producer.send(batch);
  }

  /** A batch that is not measured, again until it is taken. */
  void store(String topic, int messages) throws Exception {
    for (; ; ) {
      try {
        batchTo(topic, messages);
        return;
      } catch (Exception error) {
        if (!isBusy(error)) throw error;
        Thread.sleep(10);
      }
    }
  }

  /** Flow control of the broker: it took nothing and says so. */
  private static boolean isBusy(Throwable error) {
    return error instanceof MQBrokerException
        && ((MQBrokerException) error).getResponseCode() == ResponseCode.SYSTEM_BUSY;
  }

  Sample transactions(int callers, int ms) throws Exception {
    return threads(
        callers,
        ms,
        1,
        () -> transactional.sendMessageInTransaction(new Message("decided", BODY), null));
  }

  void send(Message message, SendCallback callback) throws Exception {
    producer.send(message, callback);
  }

  private static Sample threads(int callers, int ms, int messages, Call call) throws Exception {
    Sample sample = new Sample();
    AtomicReference<Exception> failure = new AtomicReference<>();
    long until = System.nanoTime() + ms * 1_000_000L;
    List<Thread> threads = new ArrayList<>();
    for (int n = 0; n < callers; n++) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  for (long now; (now = System.nanoTime()) < until; ) {
                    try {
                      call.run();
                      sample.add(System.nanoTime() - now, messages);
                    } catch (Exception error) {
                      if (!isBusy(error) && !isBusy(error.getCause())) throw error;
                      sample.refuse();
                    }
                  }
                } catch (Exception error) {
                  failure.set(error);
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) thread.join();
    if (failure.get() != null) throw failure.get();
    return sample.end();
  }

  private Sample asynchronous(int callers, int ms) throws Exception {
    Sample sample = new Sample();
    AtomicReference<Exception> failure = new AtomicReference<>();
    CountDownLatch left = new CountDownLatch(callers);
    long until = System.nanoTime() + ms * 1_000_000L;
    for (int n = 0; n < callers; n++) new Caller(sample, until, left, failure).next();
    left.await();
    if (failure.get() != null) throw failure.get();
    return sample.end();
  }

  /** Sends again when it was answered. */
  private final class Caller implements SendCallback {
    private final Sample sample;
    private final long until;
    private final CountDownLatch left;
    private final AtomicReference<Exception> failure;
    private long sentNanos;

    Caller(
        Sample sample, long until, CountDownLatch left, AtomicReference<Exception> failure) {
      this.sample = sample;
      this.until = until;
      this.left = left;
      this.failure = failure;
    }

    void next() {
      sentNanos = System.nanoTime();
      try {
        if (sentNanos >= until) left.countDown();
        else producer.send(new Message("sent", BODY), this);
      } catch (Exception error) {
        failure.set(error);
        left.countDown();
      }
    }

    @Override
    public void onSuccess(SendResult result) {
      sample.add(System.nanoTime() - sentNanos, 1);
      next();
    }

    @Override
    public void onException(Throwable error) {
      if (isBusy(error)) {
        sample.refuse();
        next();
        return;
      }
      failure.set(new Exception(error));
      left.countDown();
    }
  }
}
