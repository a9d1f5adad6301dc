/** Who holds which queue: the shares are complete, disjoint and stable, and RocketMQ's own. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Allocation, disagreement, ownersOf, type QueueName } from '../src/index.js'

const queuesOf = (brokers: readonly string[], queues: number): QueueName[] =>
  brokers.flatMap((brokerName) =>
    Array.from({ length: queues }, (_, queueId) => ({ topic: 'T', brokerName, queueId })),
  )
const sharersOf = (names: readonly string[], allocation: Allocation) =>
  names.map((name) => ({ name, allocation }))

const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9@#.-]{1,12}$/), {
  minLength: 1,
  maxLength: 9,
})
const brokers = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,8}$/), {
  minLength: 1,
  maxLength: 4,
})
const queues = fc.nat({ max: 20 })
const whole = fc.constantFrom('AVG', 'AVG_BY_CIRCLE', 'CONSISTENT_HASH')
const even = fc.constantFrom('AVG', 'AVG_BY_CIRCLE')

const RUNS = { numRuns: 60 }

/** A permutation that the seed decides. */
const shuffled = <A>(items: readonly A[], seed: number): A[] =>
  items
    .map((item, at) => ({ item, rank: Math.imul(at + 1, seed | 1) | 0 }))
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ item }) => item)

describe('the share of each instance', () => {
  it('is complete and disjoint: each queue has one owner, which is a member', () => {
    fc.assert(
      fc.property(whole, names, brokers, queues, (strategy, members, at, count) => {
        const all = queuesOf(at, count)
        const owners = ownersOf(all, sharersOf(members, { strategy }))
        expect(owners).toHaveLength(all.length)
        expect(owners.every((owner) => members.includes(owner ?? '-'))).toBe(true)
      }),
      RUNS,
    )
  })

  it('does not hang on the order in which queues and members are told', () => {
    fc.assert(
      fc.property(
        whole,
        names,
        brokers,
        queues,
        fc.integer(),
        (strategy, members, at, count, by) => {
          const all = queuesOf(at, count)
          const owners = ownersOf(all, sharersOf(members, { strategy }))
          const otherwise = shuffled(all, by)
          const again = ownersOf(otherwise, sharersOf(shuffled(members, by), { strategy }))
          expect(again).toEqual(otherwise.map((queue) => owners[all.indexOf(queue)]))
        },
      ),
      RUNS,
    )
  })

  it('differs by one queue at most, where it is meant to be even', () => {
    fc.assert(
      fc.property(even, names, brokers, queues, (strategy, members, at, count) => {
        const owners = ownersOf(queuesOf(at, count), sharersOf(members, { strategy }))
        const sizes = members.map((member) => owners.filter((owner) => owner === member).length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
      RUNS,
    )
  })

  it('moves only to who comes and from who goes, by consistent hash', () => {
    const allocation: Allocation = { strategy: 'CONSISTENT_HASH' }
    fc.assert(
      fc.property(names, brokers, queues, (members, at, count) => {
        const [newcomer = '', ...before] = members
        if (before.length === 0) return
        const all = queuesOf(at, count)
        const without = ownersOf(all, sharersOf(before, allocation))
        const withIt = ownersOf(all, sharersOf(members, allocation))
        const kept = withIt.map((owner, index) => (owner === newcomer ? without[index] : owner))
        expect(kept).toEqual(without)
      }),
      RUNS,
    )
  })

  it('moves about one part of n by consistent hash, where AVG moves about half', () => {
    const members = Array.from({ length: 10 }, (_, at) => `instance-${at}`)
    const all = queuesOf(['a', 'b'], 500)
    const moved = (strategy: 'AVG' | 'CONSISTENT_HASH'): number => {
      const before = ownersOf(all, sharersOf(members, { strategy }))
      const after = ownersOf(all, sharersOf(members.slice(1), { strategy }))
      return after.filter((owner, index) => owner !== before[index]).length
    }
    expect(moved('CONSISTENT_HASH')).toBeLessThan(250)
    expect(moved('AVG')).toBeGreaterThan(400)
  })

  it('is of the rooms only, complete there, by MACHINE_ROOM', () => {
    fc.assert(
      fc.property(names, queues, (members, count) => {
        const all = queuesOf(['east@a', 'west@b', 'west@c', 'west'], count)
        const allocation: Allocation = { strategy: 'MACHINE_ROOM', rooms: ['west'] }
        const owners = ownersOf(all, sharersOf(members, allocation))
        const isGiven = owners.map((owner) => owner !== undefined && members.includes(owner))
        expect(isGiven).toEqual(all.map(({ brokerName }) => brokerName.startsWith('west@')))
      }),
      RUNS,
    )
  })

  it('is what its own list names, by CONFIG', () => {
    const all = queuesOf(['a', 'b'], 2)
    const of = (name: string, ...list: { queueId: number; brokerName?: string }[]) => ({
      name,
      allocation: {
        strategy: 'CONFIG' as const,
        queues: list.map((queue) => ({ topic: 'T', ...queue })),
      },
    })
    const one = of('one', { queueId: 1 })
    const two = of('two', { queueId: 0, brokerName: 'b' })
    expect(ownersOf(all, [one, two])).toEqual([undefined, 'one', 'two', 'one'])
    expect(disagreement(one, two)).toBeUndefined()
    const three = of('three', { queueId: 1, brokerName: 'b' })
    expect(disagreement(one, three)).toBe('one and three are both given T/1')
  })

  it('is refused between instances that share differently', () => {
    const [average, circle] = [{ strategy: 'AVG' }, { strategy: 'AVG_BY_CIRCLE' }] as const
    const between = (mine: Allocation, theirs: Allocation) =>
      disagreement({ name: 'me', allocation: mine }, { name: 'you', allocation: theirs })
    expect(between(average, average)).toBeUndefined()
    expect(between(average, circle)).toBe('instance you shares by AVG_BY_CIRCLE, me by AVG')
    const rooms = (...list: string[]) => ({ strategy: 'MACHINE_ROOM', rooms: list }) as const
    expect(between(rooms('a', 'b'), rooms('b', 'a'))).toBeUndefined()
    expect(between(rooms('a'), rooms('b'))).toBe('instance you shares the rooms b, me the rooms a')
  })

  /** As Java's strategies of 5.3.3 answer: the instance of each queue by its last digit. */
  it.each([
    [{ strategy: 'AVG' }, '1111222333'],
    [{ strategy: 'AVG_BY_CIRCLE' }, '1231231231'],
    [{ strategy: 'CONSISTENT_HASH' }, '3311232112'],
    [{ strategy: 'MACHINE_ROOM', rooms: ['west'] }, '-----12312'],
  ] as const)("is RocketMQ's own: %j", (allocation, expected) => {
    const all = queuesOf(['east@a', 'west@b'], 5)
    const owners = ownersOf(all, sharersOf(['i-1', 'i-2', 'i-3'], allocation))
    expect(owners.map((owner) => owner?.slice(2) ?? '-').join('')).toBe(expected)
  })
})
