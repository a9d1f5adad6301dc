import { topicRoute } from '@sagalog/protocol'
import { describe, expect, it } from 'vitest'
import { Numbers, start } from './consumer-world.js'
import { COMMITTED, storedMessage } from './scripted-peer.js'

describe('a consumer whose message fails', () => {
  it('tries a failed message again in place, then makes it a dead letter', async () => {
    const attempts: number[] = []
    const { pass, problems, queue } = await start({
      messages: [1],
      options: { retryMs: 100, attemptsMax: 3 },
      async handler(_, tx, { attempt }) {
        attempts.push(attempt)
        tx.send(Numbers, 5)
        throw new Error('the shop is\u0002closed')
      },
    })
    await pass(150)
    expect(attempts).toEqual([1, 2])
    expect(queue.commits).toHaveLength(0)
    await pass(200)
    expect(attempts).toEqual([1, 2, 3])
    expect(queue.commits).toHaveLength(1)
    const [commit] = queue.commits
    expect(commit?.acks).toHaveLength(1)
    expect(commit?.sends).toMatchObject([
      {
        topic: '%DLQ%g',
        body: Buffer.from('1'),
        properties: {
          DLQ_ORIGIN_TOPIC: 'numbers',
          DLQ_ORIGIN_MESSAGE_ID: 'id-0',
          'sagalog.reason': 'Error: the shop is closed',
        },
      },
    ])
    expect(problems).toHaveLength(4)
  })

  it('counts no try while its own connection takes no commit, and settles the message then', async () => {
    const attempts: number[] = []
    const { ackedOffsets, connection, pass, queue } = await start({
      options: { retryMs: 100, attemptsMax: 2 },
      async handler(_, tx, { attempt }) {
        attempts.push(attempt)
        tx.send(Numbers, 5)
        if (attempts.length > 1) return
        const ignore = (): void => {}
        for (let n = 0; n < 65_536; n += 1) {
          connection.request(topicRoute, { topic: 'a' }, { timeoutMs: 1_000 }).catch(ignore)
        }
      },
    })
    queue.messages.push(storedMessage(Numbers.name, 0, 1))
    queue.wake()
    await pass(2_000)
    expect(attempts.length).toBeGreaterThan(5)
    expect(new Set(attempts)).toEqual(new Set([1]))
    const sends = queue.commits.flatMap((commit) => commit.sends)
    expect(sends.map(({ topic }) => topic)).toEqual([Numbers.name])
    expect(ackedOffsets()).toEqual([0])
  })

  it('runs a handler once that changed nothing, however often its commit is refused', async () => {
    const attempts: number[] = []
    const { ackedOffsets, pass, queue } = await start({
      messages: [1, 2],
      options: { retryMs: 100, attemptsMax: 2 },
      async handler(_, __, { attempt }) {
        attempts.push(attempt)
      },
    })
    queue.onCommit = (_commit, nth) =>
      nth < 5 ? { refused: { reason: 'not-allowed', detail: 'too many are settled' } } : COMMITTED
    await pass(1_000)
    expect(attempts).toEqual([1, 1])
    expect(queue.commits.flatMap((commit) => commit.sends)).toEqual([])
    expect(new Set(ackedOffsets())).toEqual(new Set([0, 1]))
  })

  it.each([
    ['is late', false],
    ['is lost with the connection', true],
  ])('counts no try when the reply to a commit without acks %s', async (_, isDropped) => {
    const attempts: number[] = []
    const { peer, pass, queue } = await start({
      order: 'held',
      options: { retryMs: 10, attemptsMax: 2 },
      requestTimeoutMs: 200,
      async handler(_message, tx, { attempt }) {
        attempts.push(attempt)
        tx.send(Numbers, 5)
      },
    })
    queue.onCommit = (_commit, nth) => {
      if (nth > 4) return COMMITTED
      if (isDropped) peer.drop()
      return undefined
    }
    queue.messages.push(storedMessage(Numbers.name, 0, 1))
    queue.wake()
    await pass(4_000)
    expect(attempts).toEqual([1, 1, 1, 1, 1])
    expect(queue.commits.flatMap((commit) => commit.acks)).toEqual([])
  })

  it('delivers once what stands before a malformed message, and waits at it', async () => {
    const seen: number[] = []
    const { ackedOffsets, pass, problems, queue } = await start({
      messages: [0, 1, 2, 3],
      handler: async (message) => void seen.push(message.body),
    })
    await pass(10)
    queue.messages.push(
      storedMessage(Numbers.name, 4, 4),
      Buffer.from('no message'),
      storedMessage(Numbers.name, 6, 6),
    )
    queue.wake()
    await pass(5_000)
    expect(seen).toEqual([0, 1, 2, 3, 4])
    expect(problems.length).toBeGreaterThan(3)
    queue.messages[5] = storedMessage(Numbers.name, 5, 5)
    await pass(2_000)
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(ackedOffsets()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('makes a body that does not decode a dead letter with a readable report', async () => {
    const seen: number[] = []
    const { pass, queue } = await start({
      messages: ['seven', Buffer.from('{'), 3],
      handler: async (message) => void seen.push(message.body),
    })
    await pass(10)
    expect(seen).toEqual([3])
    const reasons = queue.commits.flatMap((commit) =>
      commit.sends.map((message) => message.properties?.['sagalog.reason'] ?? ''),
    )
    expect(reasons).toHaveLength(2)
    expect(reasons[0]).toContain('"seven"')
    expect(reasons[1]).toContain('not JSON')
  })
})
