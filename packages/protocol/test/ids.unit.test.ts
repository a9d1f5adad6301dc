/** Hashes, ids, hosts and names against values that Java gives. */
import { position } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { describe, expect, it } from 'vitest'
import { deadLetterTopic, groupNameProblem, hostBytes, hostText, javaHash } from '../src/index.js'
import { NO_HOST, offsetId, positionInOffsetId, queueForKey } from '../src/index.js'
import { topicNameProblem, uniqueIds } from '../src/index.js'
import { msIntoMonth } from '../src/message-id.js'

describe('javaHash', () => {
  it.each([
    ['', 0],
    ['a', 97],
    ['TagA', 2_598_919],
    ['TagB', 2_598_920],
    ['polygenelubricants', -2_147_483_648],
    ['hello world', 1_794_106_052],
  ])('of %j is %i', (text, hash) => {
    expect(javaHash(text)).toBe(hash)
  })
})

describe('queueForKey', () => {
  it.each([
    ['TagA', 4, 3],
    ['TagA', 7, 2_598_919 % 7],
    ['polygenelubricants', 7, 2_147_483_648 % 7],
    ['polygenelubricants', 8, 0],
    ['', 5, 0],
  ])('sends %j among %i queues to %i', (key, queues, queue) => {
    expect(queueForKey(key, queues)).toBe(queue)
  })
})

describe('offset ids', () => {
  it('are written as Java writes them, and read', () => {
    const id = offsetId(hostBytes('127.0.0.1:10911'), position(300))
    expect(id).toBe('7F00000100002A9F000000000000012C')
    expect(positionInOffsetId(id)).toBe(300)
  })
  it('hold large positions and IPv6 hosts', () => {
    const id = offsetId(hostBytes('[::1]:10911'), position(Number.MAX_SAFE_INTEGER))
    expect(id).toHaveLength(56)
    expect(positionInOffsetId(id)).toBe(Number.MAX_SAFE_INTEGER)
  })
  it.each(['', 'x'.repeat(32), 'F'.repeat(32), '00'])('%j is none', (text) => {
    expect(positionInOffsetId(text)).toBeUndefined()
  })
})

describe('hosts', () => {
  it.each([
    ['10.0.0.7:80', '10.0.0.7:80'],
    ['[fd00::1]:9', '[fd00:0:0:0:0:0:0:1]:9'],
    ['::ffff:10.0.0.7:80', '10.0.0.7:80'],
  ])('%s reads as %s', (address, shown) => {
    expect(hostText(hostBytes(address))).toBe(shown)
  })
  it.each(['memory:left', '', '1.2.3:80', '1.2.3.400:80', '1.2.3.4:99999', '[1::2::3]:5'])(
    '%j is no address',
    (address) => {
      expect(hostBytes(address)).toBe(NO_HOST)
    },
  )
})

describe('unique ids', () => {
  it('count the milliseconds of the month', () => {
    for (const day of ['2024-02-29', '2024-03-01', '2023-12-31', '2025-01-01', '2000-02-29']) {
      const date = new Date(`${day}T12:34:56.789Z`)
      const start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
      expect(msIntoMonth(date.getTime())).toBe(date.getTime() - start)
    }
  })
  it('never repeat, also when the clock stands still or is set back', () => {
    const random = seededRandom(7)
    const time = simulatedTime(random)
    const next = uniqueIds(time.nodeClock(), random)
    const ids = new Set<string>()
    for (let turn = 0; turn < 150_000; turn += 1) {
      if (turn % 1000 === 999) time.jumpWall(turn % 3000 === 999 ? -5 : 3)
      ids.add(next())
    }
    expect(ids.size).toBe(150_000)
    for (const id of ids) {
      expect(id).toMatch(/^[0-9A-F]{32}$/)
      break
    }
  })
})

describe('names', () => {
  it('are those of RocketMQ', () => {
    expect(topicNameProblem('Orders_1-a|%')).toBeUndefined()
    expect(topicNameProblem('')).toBe('the topic has no name')
    expect(topicNameProblem('a b')).toContain('letters')
    expect(topicNameProblem('a'.repeat(128))).toContain('127')
    expect(groupNameProblem('g'.repeat(121))).toContain('120')
    expect(topicNameProblem(deadLetterTopic('g'.repeat(120)))).toBeUndefined()
  })
})
