import { onewayOf, ResponseCode, topicRoute, checkTransaction, heartbeat } from '@sagalog/protocol'
import { notifyMembers, type TopicRouteResponse } from '@sagalog/protocol'
import { describe, expect, it } from 'vitest'
import { ClientError } from '../src/index.js'
import { REQUESTS_PENDING_MAX } from '../src/limits.js'
import { world } from './scripted-peer.js'

const route = (name: string): TopicRouteResponse => ({
  brokerName: name,
  brokerAddress: 'here:1',
  readQueues: 1,
  writeQueues: 1,
  perm: 6,
})

/** How a promise has ended so far. */
function outcome<A>(promise: Promise<A>): { value?: A; error?: ClientError } {
  const seen: { value?: A; error?: ClientError } = {}
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => {
      if (ClientError.is(error)) seen.error = error
    },
  )
  return seen
}

describe('a connection', () => {
  it('matches replies to requests, in whatever order they come', async () => {
    const { connection, peer, pass } = world()
    const first = connection.call(topicRoute, { topic: 'a' })
    const second = connection.call(topicRoute, { topic: 'b' })
    await pass(1)
    const [one, two] = peer.received
    if (one === undefined || two === undefined) throw new Error('two requests arrive')
    peer.reply(two, route('second'))
    peer.reply(one, route('first'))
    expect((await first).brokerName).toBe('first')
    expect((await second).brokerName).toBe('second')
  })

  it('gives up at the deadline, says that the write may have happened, ignores the late reply', async () => {
    const { connection, peer, pass } = world({ requestTimeoutMs: 100 })
    const seen = outcome(connection.request(topicRoute, { topic: 'a' }))
    await pass(99)
    expect(seen).toEqual({})
    await pass(20)
    expect(seen.error?.code).toBe('TIMEOUT')
    expect(seen.error?.state).toBe('unknown')
    const [late] = peer.received
    if (late !== undefined) peer.reply(late, route('late'))
    expect(connection.isUp).toBe(true)
  })

  it('takes no more requests than it may have waiting', async () => {
    const { connection } = world()
    // Nobody ever answers these.
    for (let n = 1; n < REQUESTS_PENDING_MAX; n += 1)
      void connection.request(topicRoute, { topic: 'T' })
    const last = [1, 2].map(() => outcome(connection.request(topicRoute, { topic: 'T' })))
    await Promise.resolve()
    await Promise.resolve()
    expect(last.map(({ error }) => error?.code)).toEqual([undefined, 'OVERLOADED'])
    expect(last[1]?.error?.state).toBe('unchanged')
  })

  it('keeps a deadline that is earlier than all others', async () => {
    const { connection, pass } = world()
    const slow = outcome(connection.request(topicRoute, { topic: 'a' }, { timeoutMs: 5_000 }))
    const quick = outcome(connection.request(topicRoute, { topic: 'b' }, { timeoutMs: 50 }))
    await pass(70)
    expect(quick.error?.code).toBe('TIMEOUT')
    expect(slow).toEqual({})
    await pass(5_000)
    expect(slow.error?.code).toBe('TIMEOUT')
  })

  it('rejects what was sent when the channel is lost, and sends what waited after the reconnect', async () => {
    const { connection, peer, pass } = world()
    peer.on(topicRoute, ({ topic }) => (topic === 'lost' ? undefined : { payload: route(topic) }))
    const ups: number[] = []
    connection.onUp(() => ups.push(peer.received.length))
    await pass(1)
    const lost = outcome(connection.request(topicRoute, { topic: 'lost' }))
    peer.isReachable = false
    peer.drop()
    const waiting = outcome(connection.call(topicRoute, { topic: 'waiting' }))
    await pass(500)
    expect(lost.error?.code).toBe('DISCONNECTED')
    expect(lost.error?.state).toBe('unknown')
    expect(waiting).toEqual({})
    expect(peer.connects).toBeGreaterThan(3)
    peer.isReachable = true
    await pass(1_500)
    expect(waiting.value?.brokerName).toBe('waiting')
    // Listeners are told before waiting requests go out.
    expect(ups).toEqual([0, 1])
  })

  it('backs off while nobody is there', async () => {
    const { peer, pass } = world()
    await pass(1)
    peer.isReachable = false
    peer.drop()
    await pass(60_000)
    expect(peer.connects).toBeGreaterThan(20)
    expect(peer.connects).toBeLessThan(80)
  })

  it('hands pushes to those who asked, and refuses requests that it does not know', async () => {
    const { connection, peer, pass } = world()
    await pass(1)
    const groups: string[] = []
    const stop = connection.onRequest(notifyMembers, (push) => groups.push(push.consumerGroup))
    peer.push(onewayOf(notifyMembers, 0, { consumerGroup: 'g' }))
    stop()
    peer.push(onewayOf(notifyMembers, 0, { consumerGroup: 'h' }))
    expect(groups).toEqual(['g'])
    peer.push({ code: checkTransaction.code, opaque: 77, flag: 0, payload: {} })
    await pass(1)
    const answer = peer.received.find((command) => command.opaque === 77)
    expect(answer?.code).toBe(ResponseCode.REQUEST_CODE_NOT_SUPPORTED)
  })

  it('announces producer groups on each connect and every ten seconds', async () => {
    const { connection, peer, pass } = world()
    peer.on(heartbeat, () => ({ payload: {} }))
    const stop = connection.announce('producers')
    await pass(1)
    expect(peer.of(heartbeat).map((beat) => beat.producerGroups)).toEqual([['producers']])
    await pass(10_100)
    expect(peer.of(heartbeat)).toHaveLength(2)
    peer.drop()
    await pass(2_000)
    expect(peer.of(heartbeat)).toHaveLength(3)
    stop()
    await pass(30_000)
    expect(peer.of(heartbeat)).toHaveLength(3)
  })

  it('takes a peer that stays silent for dead', async () => {
    const { connection, peer, pass } = world()
    await pass(1)
    outcome(connection.request(topicRoute, { topic: 'a' }, { timeoutMs: 16_000 }))
    await pass(20_000)
    expect(peer.connects).toBe(2)
  })

  it('hears what waited while its process was paused before it gives anything up', async () => {
    const { connection, pass, peer, process } = world()
    const seen = outcome(connection.call(topicRoute, { topic: 'a' }))
    await pass(10)
    process.pause()
    const [asked] = peer.received
    if (asked === undefined) throw new Error('the request arrives')
    peer.reply(asked, route('waited'))
    await pass(40_000)
    await process.wake()
    expect(seen.value?.brokerName).toBe('waited')
    expect(peer.connects).toBe(1)
  })

  it('gives the peer a second after a pause, also for what it has not answered yet', async () => {
    const { connection, pass, peer, process } = world()
    const answered = outcome(connection.call(topicRoute, { topic: 'a' }))
    const unanswered = outcome(connection.call(topicRoute, { topic: 'b' }))
    await pass(10)
    process.pause()
    await pass(40_000)
    await process.wake()
    await pass(900)
    const [asked] = peer.received
    if (asked !== undefined) peer.reply(asked, route('late'))
    expect(answered).toEqual({})
    await pass(200)
    expect(answered.value?.brokerName).toBe('late')
    expect(unanswered.error?.code).toBe('TIMEOUT')
  })

  it.each([
    ['keeps a peer that was not heard during a pause and answers after it', true, 1],
    ['takes a peer for dead that does not answer after a pause either', false, 2],
  ])('%s', async (_, isAnswering, connects) => {
    const { connection, pass, peer, process } = world()
    peer.on(heartbeat, () => (isAnswering ? { payload: {} } : undefined))
    await pass(1)
    const seen = outcome(connection.request(topicRoute, { topic: 'a' }))
    process.pause()
    await pass(40_000)
    await process.wake()
    await pass(8_000)
    expect(seen.error?.code).toBe('TIMEOUT')
    expect(peer.connects).toBe(connects)
    expect(connection.isUp).toBe(true)
  })

  it('gives up at the deadline, without any grace, what was never sent', async () => {
    const { connection, pass, peer, process } = world()
    await pass(1)
    peer.isReachable = false
    peer.drop()
    const seen = outcome(connection.request(topicRoute, { topic: 'a' }))
    process.pause()
    await pass(40_000)
    await process.wake()
    expect(seen.error?.code).toBe('TIMEOUT')
  })

  it('is closed for good', async () => {
    const { connection, peer, pass } = world()
    await pass(1)
    const sent = outcome(connection.request(topicRoute, { topic: 'a' }))
    connection.close()
    const after = outcome(connection.request(topicRoute, { topic: 'b' }))
    await pass(60_000)
    expect(sent.error?.code).toBe('DISCONNECTED')
    expect(after.error?.code).toBe('CLOSED')
    expect(peer.connects).toBe(1)
  })

  it('leaves nothing planned behind when it is closed', async () => {
    const { connection, pass, time } = world()
    const seen = outcome(connection.request(topicRoute, { topic: 'a' }))
    await pass(1)
    connection.close()
    expect(await time.run({ untilMs: 1_000_000 })).toBe('idle')
    expect(time.nowMs()).toBeLessThan(10)
    expect(seen.error?.code).toBe('DISCONNECTED')
  })

  it('turns a refusal into an error that names the code', async () => {
    const { connection, peer } = world()
    peer.on(topicRoute, () => ({ code: ResponseCode.NO_PERMISSION, remark: 'not you' }))
    const call = connection.call(topicRoute, { topic: 'a' })
    await expect(call).rejects.toThrow(/NO_PERMISSION: not you/)
  })
})
