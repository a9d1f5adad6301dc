/**
 * The operating failures of the saga package. A refusal, a timeout and a parked saga are not here:
 * they are outcomes, and stand in the saga's stream.
 */
import { defineErrors } from '@sagalog/kernel'

export const SagaError = defineErrors('SagaError', {
  ID_INVALID: {
    text: 'the saga id {id} cannot be used: {reason}',
    advice: 'Use 1 to 200 printable characters.',
    retry: 'never',
    state: 'unchanged',
  },
  INPUT_INVALID: {
    text: 'the input of {saga} {id} does not fit its codec: {reason}',
    advice: 'Correct the input; nothing was started.',
    retry: 'never',
    state: 'unchanged',
  },
  LANE_INVALID: {
    text: 'the lane of {saga} {id} cannot be used: {reason}',
    advice: 'Give a printable key and places that count 1, 2, 3 in each lane.',
    retry: 'never',
    state: 'unchanged',
  },
  BUSINESS_KEY_INVALID: {
    text: 'the business key of {saga} {id} cannot be used: {reason}',
    advice: 'Give a key of 1 to 200 printable characters.',
    retry: 'never',
    state: 'unchanged',
  },
  SCHEDULE_INVALID: {
    text: 'the schedule {name} of {saga} cannot be used: {reason}',
    advice: 'Correct the name, the cron expression, the time zone or the grace.',
    retry: 'never',
    state: 'unchanged',
  },
  NOT_A_COMMAND: {
    text: 'the message is not a command of a saga: {reason}',
    advice: 'Handle such messages elsewhere; sagas mark theirs with properties.',
    retry: 'never',
    state: 'unchanged',
  },
  ATTEMPT_LATE: {
    text: 'an attempt of a local step took longer than {timeoutMs} ms',
    advice: 'It is tried again with the same key.',
    retry: 'same',
    state: 'unknown',
  },
  UNMAKEABLE: {
    text: 'the {what} of {step} cannot be made: {reason}',
    advice: 'Correct the function of the step; the saga waits, with the message that met this.',
    retry: 'never',
    state: 'unchanged',
  },
  DEFINITION_CHANGED: {
    text: 'the definition of {saga} has changed while sagas of it run: {report}',
    advice:
      'Give it a new version with a migration (`from`), keep the old definition registered until ' +
      'its sagas have ended, or set `mayDiffer` while you develop.',
    retry: 'never',
    state: 'unchanged',
  },
  UNREADABLE: {
    text: 'the sagas of {category} cannot be read: {reason}',
    advice: 'Check the broker; nothing was changed.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  NOT_FOUND: {
    text: 'there is no saga {id} of {saga}',
    advice: 'Check the id, and that its start was sent.',
    retry: 'never',
    state: 'unchanged',
  },
  SIGNAL_INVALID: {
    text: 'the signal {signal} of {saga} {id} cannot be sent: {reason}',
    advice: 'Name a signal of the definition and give a value that fits its codec.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_SAGA_OF_KEY: {
    text: 'no running saga of {saga} goes by the business key {key}',
    advice:
      'Check the key. One that was started just now may not be there yet, and one that has ended ' +
      'hears nothing any more: ask for it by its id.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  UNKNOWN_SAGA: {
    text: 'this runtime does not run the saga {saga}',
    advice: 'List it under `sagas` when the runtime is created.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type SagaError = InstanceType<typeof SagaError>
