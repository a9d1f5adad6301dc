/** The rules for names of topics and groups, and the names that RocketMQ derives from them. */
import { DERIVED_TOPIC_CHARS_MAX, GROUP_CHARS_MAX, TOPIC_CHARS_MAX } from './limits.js'

export const RETRY_GROUP_TOPIC_PREFIX = '%RETRY%'
export const DLQ_GROUP_TOPIC_PREFIX = '%DLQ%'
/** Sagalog's own. */
export const PARKED_GROUP_TOPIC_PREFIX = '%PARKED%'
/** Where Java clients believe half messages stand. */
export const RMQ_SYS_TRANS_HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
/** The topic whose queues and permissions a new topic copies. */
export const AUTO_CREATE_TOPIC_KEY_TOPIC = 'TBW102'

const NAME = /^[%|a-zA-Z0-9_-]+$/

const isDerived = (topic: string): boolean =>
  topic.startsWith(RETRY_GROUP_TOPIC_PREFIX) ||
  topic.startsWith(DLQ_GROUP_TOPIC_PREFIX) ||
  topic.startsWith(PARKED_GROUP_TOPIC_PREFIX)

/** Why `topic` can not name a topic, as a sentence; undefined when it can. */
export function topicNameProblem(topic: string): string | undefined {
  const max = isDerived(topic) ? DERIVED_TOPIC_CHARS_MAX : TOPIC_CHARS_MAX
  return nameProblem(topic, 'topic', max)
}

/** Why `group` can not name a group, as a sentence; undefined when it can. */
export function groupNameProblem(group: string): string | undefined {
  return nameProblem(group, 'group', GROUP_CHARS_MAX)
}

function nameProblem(name: string, what: string, max: number): string | undefined {
  if (name.length === 0) return `the ${what} has no name`
  if (name.length > max) return `the ${what} name is longer than ${max} characters`
  if (!NAME.test(name)) return `the ${what} name may hold %, |, letters, digits, _ and - only`
  return undefined
}

/** Where the dead letters of a group go. */
export const deadLetterTopic = (group: string): string => DLQ_GROUP_TOPIC_PREFIX + group
/** The group in whose name operators settle the dead letters of a group. */
export const deadLetterOperators = (group: string): string => `dlq-${group}`
/** The category of events in which a group keeps the keys that wait for a person. */
export const parkedTopic = (group: string): string => PARKED_GROUP_TOPIC_PREFIX + group
/** Where RocketMQ puts the retries of a group. */
export const retryTopic = (group: string): string => RETRY_GROUP_TOPIC_PREFIX + group
