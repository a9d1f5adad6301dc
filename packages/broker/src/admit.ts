/**
 * May it? Everything that can be refused without reading the log's tail is refused here, before a
 * request is sequenced: names, sizes, kinds and permissions of topics. Pure over the folds.
 */
import {
  type CreateTopicRequest,
  groupNameProblem,
  ResponseCode,
  topicNameProblem,
} from '@sagalog/protocol'
import type { Core, Refusal } from './core.js'
import { BODY_BYTES_MAX, PROPERTIES_BYTES_MAX, QUEUES_MAX } from './limits.js'
import type { TopicFact, TopicKind } from './records/facts.js'

const PERM_WRITE = 2
const NAME_BYTES_MAX = 1_024
/** Control characters, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

export interface MessageSizes {
  readonly topic: string
  readonly bodyBytes: number
  readonly propertiesBytes: number
}

/** The bytes of a text where only a bound matters: counted when it may be above the bound. */
export const bytesBelow = (max: number, text: string): number =>
  text.length * UTF8_BYTES_OF_UNIT_MAX <= max ? text.length : Buffer.byteLength(text)

const UTF8_BYTES_OF_UNIT_MAX = 3

/** Why a message of these sizes can't be stored, if so. */
export function admitMessage(core: Core, message: MessageSizes): Refusal | undefined {
  core.settings.hops.reach('broker.admit')
  const { bodyBytes, propertiesBytes, topic } = message
  // What the name of a topic may be was looked at when it was made.
  const isKnown = core.state.topics.get(topic) !== undefined
  const problem = isKnown ? undefined : topicNameProblem(topic)
  if (problem !== undefined) return { code: ResponseCode.INVALID_PARAMETER, remark: problem }
  if (bodyBytes <= BODY_BYTES_MAX && propertiesBytes <= PROPERTIES_BYTES_MAX) return undefined
  const limits = `msg body length limit ${BODY_BYTES_MAX}B, msg properties length limit 32KB`
  return {
    code: ResponseCode.MESSAGE_ILLEGAL,
    remark: `the message is illegal, maybe msg body or properties length not matched. ${limits}; body ${bodyBytes}B, properties ${propertiesBytes}B`,
  }
}

/**
 * Why a number can't be stored, if so. Over the wire the codecs have seen to it; in process a
 * request arrives as the caller made it.
 */
export function admitNumbers(
  numbers: Readonly<Record<string, number>>,
  range: NumberRange,
): Refusal | undefined {
  for (const name in numbers) {
    const problem = admitNumber(name, numbers[name] ?? Number.NaN, range)
    if (problem !== undefined) return problem
  }
  return undefined
}

export function admitNumber(
  name: string,
  value: number,
  { high, low }: NumberRange,
): Refusal | undefined {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return undefined
  const remark = `${name} must be a whole number from ${low} to ${high}, not ${value}`
  return { code: ResponseCode.INVALID_PARAMETER, remark }
}

export interface NumberRange {
  readonly low: number
  readonly high: number
}

export const INT32 = { low: -0x8000_0000, high: 0x7fff_ffff } as const
export const COUNT = { low: 0, high: Number.MAX_SAFE_INTEGER } as const

/** The topic, when messages of this kind may be put into it; why not, else. */
export function writableTopic(
  core: Core,
  name: string,
  kind: TopicKind,
): { topic: TopicFact } | { refusal: Refusal } {
  const topic = core.state.topics.get(name)
  if (topic === undefined) {
    const remark = `topic[${name}] not exist, apply first please!`
    return { refusal: { code: ResponseCode.TOPIC_NOT_EXIST, remark } }
  }
  if (topic.kind !== kind) {
    const remark =
      topic.kind === 'event'
        ? `Sending message to topic[${name}] is forbidden: it holds events, append to its streams.`
        : `topic[${name}] holds messages, not events.`
    return { refusal: { code: ResponseCode.NO_PERMISSION, remark } }
  }
  if ((topic.perm & PERM_WRITE) === 0) {
    const remark = `Sending message to topic[${name}] is forbidden.`
    return { refusal: { code: ResponseCode.NO_PERMISSION, remark } }
  }
  return { topic }
}

/** Why no streams are read or closed there, if so. */
export function admitCategory(core: Core, category: string): Refusal | undefined {
  if (core.state.topics.get(category)?.kind === 'event') return undefined
  const remark = `there is no category ${category}; make it first`
  return { code: ResponseCode.TOPIC_NOT_EXIST, remark }
}

export function admitTopic(core: Core, request: CreateTopicRequest): Refusal | undefined {
  core.settings.hops.reach('broker.admit')
  const problem = topicNameProblem(request.topic)
  if (problem !== undefined) return { code: ResponseCode.INVALID_PARAMETER, remark: problem }
  const perm = admitNumbers({ perm: request.perm }, { low: 0, high: 15 })
  if (perm !== undefined) return perm
  for (const queues of [request.readQueues, request.writeQueues]) {
    if (Number.isSafeInteger(queues) && queues >= 1 && queues <= QUEUES_MAX) continue
    const remark = `a topic has 1 to ${QUEUES_MAX} queues, not ${queues}`
    return { code: ResponseCode.INVALID_PARAMETER, remark }
  }
  if (request.kind === 'event' && request.readQueues !== request.writeQueues) {
    const remark = 'an event topic has as many read queues as write queues'
    return { code: ResponseCode.INVALID_PARAMETER, remark }
  }
  return undefined
}

/** Why a topic that is not there can't be made, if so; names of deleted topics are remembered. */
export function admitNewTopic({ settings, state }: Core, name: string): Refusal | undefined {
  const { topics } = state
  if (topics.remembers(name) || topics.count < settings.topicsMax) return undefined
  const remark = `the topic[${name}] was not made: the broker has ${topics.count} topics, and takes ${settings.topicsMax} (topicsMax)`
  return { code: ResponseCode.INVALID_PARAMETER, remark }
}

/** Why a group, or an instance of a broadcasting one, can't get a place, if so. */
export function admitNewGroup(core: Core, placeGroup: string): Refusal | undefined {
  const { assigned, members, settings, state } = core
  if (state.places.holds(placeGroup)) return undefined
  const count = Math.max(state.places.groupCount, assigned.count, members.groupCount)
  if (count < settings.groupsMax) return undefined
  const [group] = placeGroup.split('\u0001')
  const remark = `the group[${group}] was not let in: the broker has ${count} groups, and takes ${settings.groupsMax} (groupsMax)`
  return { code: ResponseCode.INVALID_PARAMETER, remark }
}

/** Why a group or an instance can't be called so, if so. */
export function admitName(what: 'group' | 'instance', name: string): Refusal | undefined {
  const problem = what === 'group' ? groupNameProblem(name) : textProblem('an instance', name)
  return problem === undefined
    ? undefined
    : { code: ResponseCode.INVALID_PARAMETER, remark: problem }
}

/** Why a stream, an event type or a timer can't be called so, if so. */
export function admitText(what: string, text: string, bytesMax?: number): Refusal | undefined {
  const problem = textProblem(what, text, bytesMax)
  return problem === undefined
    ? undefined
    : { code: ResponseCode.INVALID_PARAMETER, remark: problem }
}

/** Names become keys of folds and text in records: they must survive being written as UTF-8. */
function textProblem(what: string, text: string, bytesMax = NAME_BYTES_MAX): string | undefined {
  const isFit = text.length > 0 && Buffer.byteLength(text) <= bytesMax
  if (isFit && !UNPRINTABLE.test(text)) return undefined
  return `${what} has a name of 1 to ${bytesMax} bytes and no control characters`
}
