/** What a person who starts the demo can get wrong, and what can go wrong under it. */
import { defineErrors } from '@sagalog/kernel'

export const DemoError = defineErrors('DemoError', {
  BAD_ARGUMENT: {
    text: '{what}',
    advice: 'See --help.',
    retry: 'never',
    state: 'unchanged',
  },
  FILE_UNREADABLE: {
    text: '{path} cannot be read: {reason}',
    advice: 'Check the path given with --file.',
    retry: 'never',
    state: 'unchanged',
  },
  LINE_MALFORMED: {
    text: 'line {line} of {path} is malformed: {reason}',
    advice: 'A line has five columns: customer id, sample id, YYYYMMDD, CDs, dollars.',
    retry: 'never',
    state: 'unchanged',
  },
  DIRECTORY_IN_USE: {
    text: '{path} is in use by another run',
    advice: 'Wait for it, or choose another directory with --dir.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  DIRECTORY_FOREIGN: {
    text: '{path} holds files, but no run of this demo',
    advice: 'Choose an empty directory with --dir.',
    retry: 'never',
    state: 'unchanged',
  },
  OTHER_RUN: {
    text: '{path} holds a {progress} run with {what} {recorded}, not {given}',
    advice:
      'A plain start (nothing but --dir) goes on with it as it was begun. ' +
      'Or remove it, or choose another directory with --dir.',
    retry: 'never',
    state: 'unchanged',
  },
  WORKER_FAILED: {
    text: 'the worker process ended by itself: {reason}',
    advice: 'Start again with the same --dir to go on from what is durable.',
    retry: 'same',
    state: 'unknown',
  },
  RUN_STUCK: {
    text: 'nothing moved for {seconds} s: {status}',
    advice: 'This is a bug. Keep the directory and report it.',
    retry: 'same',
    state: 'unknown',
  },
})
