/**
 * Which instance of a group should hold which queue of a topic, by the strategies and the names of
 * RocketMQ, so that our instances and RocketMQ's come to the same result. Pure: the same queues and
 * sharers give the same owners, whoever computes them.
 */
import { assert, unreachable } from '@sagalog/kernel'
import { createHash } from 'node:crypto'
import type { QueueName } from './requests/lock-queues.js'

/** A queue by name; without a broker, that queue of the topic on every broker. */
export interface ConfiguredQueue {
  readonly topic: string
  readonly queueId: number
  readonly brokerName?: string
}

/**
 * AVG: contiguous ranges, the first instances one more where it does not come out even.
 * AVG_BY_CIRCLE: queue by queue in turn. CONSISTENT_HASH: an instance that comes or goes moves no
 * queue between the others. MACHINE_ROOM: only queues of brokers named `room@name` with one of the
 * rooms. CONFIG: each instance has the queues of its own list.
 */
export type Allocation =
  | { readonly strategy: 'AVG' | 'AVG_BY_CIRCLE' | 'CONSISTENT_HASH' }
  | { readonly strategy: 'MACHINE_ROOM'; readonly rooms: readonly string[] }
  | { readonly strategy: 'CONFIG'; readonly queues: readonly ConfiguredQueue[] }

export type AllocationStrategy = Allocation['strategy']

export const AVERAGE: Allocation = { strategy: 'AVG' }

/** An instance that takes its share. */
export interface Sharer {
  readonly name: string
  readonly allocation: Allocation
}

/**
 * For each queue the name of the instance that should hold it; undefined when none should. The
 * queues are all of one topic. All sharers have the same strategy: see `disagreement`.
 */
export function ownersOf(
  queues: readonly QueueName[],
  sharers: readonly Sharer[],
): (string | undefined)[] {
  const [first] = sharers
  if (first === undefined) return queues.map(() => undefined)
  const names = sharers.map(({ name }) => name).toSorted()
  const order = [...queues.keys()].toSorted((left, right) =>
    compareQueues(queueAt(queues, left), queueAt(queues, right)),
  )
  const sorted = order.map((at) => queueAt(queues, at))
  const owners = sortedOwners(first.allocation, { queues: sorted, names, sharers })
  const found: (string | undefined)[] = queues.map(() => undefined)
  for (const [rank, at] of order.entries()) found[at] = owners[rank]
  return found
}

function sortedOwners(
  allocation: Allocation,
  { names, queues, sharers }: { queues: QueueName[]; names: string[]; sharers: readonly Sharer[] },
): (string | undefined)[] {
  const { strategy } = allocation
  switch (strategy) {
    case 'AVG':
      return queues.map((_, at) => names[rangeOf(at, queues.length, names.length)])
    case 'AVG_BY_CIRCLE':
      return queues.map((_, at) => names[at % names.length])
    case 'CONSISTENT_HASH': {
      const ring = ringOf(names)
      return queues.map((queue) => ownerOn(ring, queue))
    }
    case 'MACHINE_ROOM':
      return byRoom(queues, names, allocation.rooms)
    case 'CONFIG':
      return queues.map((queue) => sharers.find((sharer) => isConfigured(sharer, queue))?.name)
    default:
      return unreachable(strategy)
  }
}

/** Why two instances can't share the queues of a group, if so. */
export function disagreement(one: Sharer, other: Sharer): string | undefined {
  const [mine, theirs] = [one.allocation, other.allocation]
  if (mine.strategy !== theirs.strategy)
    return `instance ${other.name} shares by ${theirs.strategy}, ${one.name} by ${mine.strategy}`
  if (mine.strategy === 'MACHINE_ROOM' && theirs.strategy === 'MACHINE_ROOM') {
    const [left, right] = [roomList(mine.rooms), roomList(theirs.rooms)]
    if (left !== right)
      return `instance ${other.name} shares the rooms ${right}, ${one.name} the rooms ${left}`
  }
  if (mine.strategy === 'CONFIG' && theirs.strategy === 'CONFIG')
    for (const { brokerName, queueId, topic } of mine.queues) {
      const isTheirs = theirs.queues.some(
        (queue) =>
          queue.topic === topic &&
          queue.queueId === queueId &&
          (queue.brokerName ?? brokerName) === (brokerName ?? queue.brokerName),
      )
      if (isTheirs) return `${one.name} and ${other.name} are both given ${topic}/${queueId}`
    }
  return undefined
}

const roomList = (rooms: readonly string[]): string => [...new Set(rooms)].toSorted().join(', ')

function queueAt(queues: readonly QueueName[], at: number): QueueName {
  const queue = queues[at]
  assert(queue !== undefined, 'a queue stands at each rank')
  return queue
}

function compareQueues(left: QueueName, right: QueueName): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  if (left.brokerName !== right.brokerName) return left.brokerName < right.brokerName ? -1 : 1
  return left.queueId - right.queueId
}

/** Contiguous ranges, the first `queues % members` members one more. */
function rangeOf(at: number, queues: number, members: number): number {
  const share = Math.floor(queues / members)
  const larger = queues % members
  const inLarger = larger * (share + 1)
  if (at < inLarger) return Math.floor(at / (share + 1))
  return larger + Math.floor((at - inLarger) / Math.max(1, share))
}

const VIRTUAL_NODES = 10

type Ring = readonly { readonly hash: number; readonly name: string }[]

/** The first four bytes of the MD5, big-endian. */
const ringHash = (text: string): number =>
  createHash('md5').update(text, 'utf8').digest().readUInt32BE(0)

function ringOf(names: readonly string[]): Ring {
  const nodes = new Map<number, string>()
  for (const name of names)
    for (let node = 0; node < VIRTUAL_NODES; node += 1) nodes.set(ringHash(`${name}-${node}`), name)
  return [...nodes]
    .map(([hash, name]) => ({ hash, name }))
    .toSorted((left, right) => left.hash - right.hash)
}

function ownerOn(ring: Ring, { brokerName, queueId, topic }: QueueName): string | undefined {
  const hash = ringHash(
    `MessageQueue [topic=${topic}, brokerName=${brokerName}, queueId=${queueId}]`,
  )
  let [low, high] = [0, ring.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ring[middle]?.hash ?? 0) < hash) low = middle + 1
    else high = middle
  }
  return (ring[low] ?? ring[0])?.name
}

/** Equal ranges of the rooms' queues; what is left over goes one by one to the first names. */
function byRoom(
  queues: readonly QueueName[],
  names: readonly string[],
  rooms: readonly string[],
): (string | undefined)[] {
  const taken = queues.filter((queue) => isInRooms(queue.brokerName, rooms))
  const share = Math.floor(taken.length / names.length)
  const even = share * names.length
  const owners = new Map<QueueName, string | undefined>()
  for (const [at, queue] of taken.entries())
    owners.set(queue, names[at < even ? Math.floor(at / share) : at - even])
  return queues.map((queue) => owners.get(queue))
}

/** True for a broker `room@name` of one of the rooms. */
export function isInRooms(brokerName: string, rooms: readonly string[]): boolean {
  const [room, name] = brokerName.split('@')
  return room !== undefined && name !== undefined && rooms.includes(room)
}

function isConfigured({ allocation }: Sharer, { brokerName, queueId, topic }: QueueName): boolean {
  if (allocation.strategy !== 'CONFIG') return false
  return allocation.queues.some(
    (queue) =>
      queue.topic === topic &&
      queue.queueId === queueId &&
      (queue.brokerName ?? brokerName) === brokerName,
  )
}
