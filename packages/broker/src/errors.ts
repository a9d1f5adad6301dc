/** What goes wrong with a broker as a whole. Refused requests are response codes, not errors. */
import { defineErrors, type SagalogError } from '@sagalog/kernel'

export const BrokerError = defineErrors('BrokerError', {
  CLOSED: {
    text: 'the broker is closed',
    advice: 'Open it again.',
    retry: 'after-reopen',
    state: 'unchanged',
  },
  LOG_FAILED: {
    text: 'the log failed and nothing more is acknowledged: {reason}',
    advice: 'Look at the disk, then open the broker again: it recovers what was acknowledged.',
    retry: 'after-reopen',
    state: 'unknown',
  },
  UNREAD_LET_GO: {
    text: 'the log is over its cap of {capBytes} bytes: {messages} messages of {queue} were let go that the group {group} had not settled; it stood at {from} and goes on at {to}',
    advice: 'Let the group catch up, raise the cap, or settle what it does not need by a reset.',
    retry: 'never',
    state: 'applied',
  },
  DAMAGE_FOUND: {
    text: 'a scrub found damage in {file} at {position}: {reason}',
    advice:
      'What stands there is not handed out; restore the file from a backup, then start again.',
    retry: 'after-reopen',
    state: 'unchanged',
  },
  RETENTION_DELAYED: {
    text: 'nothing could be let go now, the log takes no record: {reason}',
    advice: 'It is tried again by itself.',
    retry: 'same',
    state: 'unchanged',
  },
  OPTION_INVALID: {
    text: 'the option {name} must be {must}, got {value}',
    advice: 'Correct the option.',
    retry: 'never',
    state: 'unchanged',
  },
  ADDRESS_IN_USE: {
    text: 'the address {host}:{port} is in use',
    advice: 'Choose another port, or stop the other process.',
    retry: 'never',
    state: 'unchanged',
  },
  ADDRESS_UNUSABLE: {
    text: 'the address {host}:{port} can not be listened on: {reason}',
    advice: 'Choose an address of this machine, and a port that this user may have.',
    retry: 'never',
    state: 'unchanged',
  },
  ADDRESS_NOT_LOOPBACK: {
    text: 'other machines can reach {host}, and nobody is asked who they are',
    advice: 'Listen on 127.0.0.1, or allow it in so many words: allowRemote, --allow-remote.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type BrokerError = SagalogError<keyof typeof BrokerError.table>
