/** Bugs in what operators see and change, each caught by one test of the broker. */
import type { NamedBug } from '../planted-bug.js'

const BROKER = 'packages/broker/src/'
const test = 'packages/broker/test/operators.unit.test.ts'

export const operatorBugs: readonly NamedBug[] = [
  {
    name: 'topic-deleted-under-its-consumers',
    promise: "a group of RocketMQ's clients is seen, and its topic kept while one reads it",
    file: `${BROKER}requests/delete-topic.ts`,
    find: 'isLive || (lag > 0 && !isForced)',
    replace: 'lag > 0 && (isLive || !isForced)',
    test,
  },
  {
    name: 'deleted-topic-is-found',
    promise: 'a deleted topic is nowhere, over a crash too, and gets what was on its way',
    file: `${BROKER}folds/topics.ts`,
    find: 'topic === undefined || isDeleted(topic) ? undefined : topic',
    replace: 'topic',
    test,
  },
  {
    name: 'deletion-is-forgotten',
    promise: 'a deleted topic is nowhere, over a crash too, and gets what was on its way',
    file: `${BROKER}requests/delete-topic.ts`,
    find: 'readQueues: 0, writeQueues: 0, perm: 0',
    replace: 'readQueues: 1, writeQueues: 0, perm: 0',
    test,
  },
  {
    name: 'letters-lost-with-their-topic',
    promise: 'letters that wait keep the dead-letter topic of their group',
    file: `${BROKER}group-standing.ts`,
    find: 'if (letters > 0) lags.set',
    replace: 'if (letters < 0) lags.set',
    test,
  },
  {
    name: 'instances-without-names',
    promise: 'each instance of a broadcasting group has a place of its own',
    file: `${BROKER}members.ts`,
    find: 'instance: placeGroup.slice(at + 1)',
    replace: 'instance: placeGroup.slice(0, at)',
    test,
  },
  {
    name: 'tally-without-end',
    promise: 'what strangers call their groups does not fill the memory',
    file: `${BROKER}tally.ts`,
    find: 'this.rows.size >= TALLY_ROWS_MAX && group !== OTHERS',
    replace: 'this.rows.size < 0',
    test,
  },
]
