/**
 * The client's operating failures. Each says whether the write happened: after `unknown` the caller
 * asks, repeats what is safe to repeat, or lets a check-back decide.
 */
import { defineErrors } from '@sagalog/kernel'

export const ClientError = defineErrors('ClientError', {
  CLOSED: {
    text: '{what} is closed',
    advice: 'Open a new one; this one takes no more work.',
    retry: 'never',
    state: 'unchanged',
  },
  TIMEOUT: {
    text: '{request} had no reply within {timeoutMs} ms',
    advice: 'The write may have happened. Repeat only what is safe to repeat.',
    retry: 'same',
    state: 'unknown',
  },
  DISCONNECTED: {
    text: '{request} lost its connection to {remote}: {reason}',
    advice: 'The write may have happened. The connection is opened again by itself.',
    retry: 'same',
    state: 'unknown',
  },
  UNREACHABLE: {
    text: 'nobody answers at {remote}: {reason}',
    advice: 'Check the address, and that the broker is running there.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  ADDRESS_INVALID: {
    text: 'the address "{address}" can not be used: {reason}',
    advice: 'Write sagalog:DIRECTORY or rocketmq://HOST:PORT, more hosts behind a semicolon.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_ROUTE: {
    text: 'No route info of this topic, {topic}: {reason}',
    advice:
      'Create the topic with ensureTopic, or check its name and that the broker is reachable.',
    retry: 'after-refresh',
    state: 'unchanged',
  },
  SEND_FAILED: {
    text: 'Send [{times}] times, still failed, cost [{costMs}]ms, Topic: {topic}, BrokersSent: [{brokers}]: {reason}',
    advice:
      'The message may be stored. Send it again only when its consumers can take it twice; ' +
      'look at the reason of the last try, and at the brokers that are named.',
    retry: 'after-delay',
    state: 'unknown',
  },
  NOT_STORED: {
    text: 'Send [{times}] times, still failed, cost [{costMs}]ms, Topic: {topic}, BrokersSent: [{brokers}]: {reason}',
    advice:
      'The message is not stored: it is safe to send it again. Look at the reason of the last ' +
      'try, and at the brokers that are named.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  UNSUPPORTED: {
    text: "{request} is nothing that a cluster of Apache's brokers can do: {instead}",
    advice: 'Do as the message says; the same request will be refused again.',
    retry: 'never',
    state: 'unchanged',
  },
  OVERLOADED: {
    text: '{request} was not taken: {reason}',
    advice: 'Send slower, or await earlier sends first.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  REJECTED: {
    text: '{request} was rejected with code {code}: {remark}',
    advice: 'Read the remark; the same request will be rejected again.',
    retry: 'never',
    state: 'unchanged',
  },
  HANDLER_FAILED: {
    text: 'the local step of {id} failed: {reason}',
    advice: 'The half message stays undecided until the check-back decides it. Look at the cause.',
    retry: 'never',
    state: 'unknown',
  },
  PLACES_FAILED: {
    text: 'the places of {instance} in {group} could not be {what}: {reason}',
    advice: 'Check the store that the connection was given: its directory, its rights, its room.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  INVALID_MESSAGE: {
    text: '{what} can not be sent: {reason}',
    advice: 'Change the message: it never left the process.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type ClientError = InstanceType<typeof ClientError>
