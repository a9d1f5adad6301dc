/** Who answers at an address decides what its connection can do. */
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { clusterInfo, listTopics, nothing, ResponseCode, topicRoute } from '@sagalog/protocol'
import { describe, expect, it } from 'vitest'
import { type Connection, ClientError } from '../src/index.js'
import { openRemote } from '../src/rocketmq/index.js'
import { passed, scriptedPeer } from './scripted-peer.js'

type Peer = ReturnType<typeof scriptedPeer>

/** Peers at `one:1`, `two:1` and `three:1`; nobody else is there. */
function places() {
  const random = seededRandom(1)
  const time = simulatedTime(random.fork('time'))
  const peers = { 'one:1': scriptedPeer(), 'two:1': scriptedPeer(), 'three:1': scriptedPeer() }
  const open = async (...servers: string[]): Promise<Connection> => {
    const opening = openRemote({
      servers,
      connectTo: (address) =>
        new Map<string, Peer>(Object.entries(peers)).get(address)?.connect() ??
        Promise.reject(new Error('nobody is there')),
      ports: { clock: time.nodeClock(), random },
    })
    const ended = opening.catch(() => undefined)
    await passed(time, 5_000)
    await ended
    return await opening
  }
  return { ...peers, open, pass: (ms: number) => passed(time, ms) }
}

/** A Sagalog broker by script: it knows a request that is ours. */
function isSagalog(peer: Peer, brokerName: string): void {
  peer.on(listTopics, () => ({ payload: { topics: [], hasMore: false } }))
  peer.on(clusterInfo, () => ({
    payload: { brokers: [{ brokerName, brokerAddress: '10.0.0.1:10911' }] },
  }))
  peer.on(topicRoute, ({ topic }) => ({ code: ResponseCode.NO_PERMISSION, remark: topic }))
}

/** A name server of Apache's. */
function isNameServer(peer: Peer): void {
  const unknown = { code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED }
  peer.on(listTopics, () => unknown)
  peer.on(topicRoute, () => ({ code: ResponseCode.TOPIC_NOT_EXIST }))
  peer.on(clusterInfo, () => ({ payload: { brokers: [] } }))
}

describe('an address', () => {
  it('of a Sagalog broker gives a connection with all that it can do', async () => {
    const { open, ...world } = places()
    isSagalog(world['two:1'], 'sagalog')
    const connection = await open('nobody:1', 'two:1')
    const { payload } = await connection.request(listTopics, { after: '', maxTopics: 9 })
    expect(payload).toEqual({ topics: [], hasMore: false })
  })

  it('of name servers gives a connection to their cluster', async () => {
    const { open, ...world } = places()
    isNameServer(world['two:1'])
    world['one:1'].isReachable = false
    const connection = await open('one:1', 'two:1')
    const refused = connection.request(listTopics, { after: '', maxTopics: 9 })
    await expect(refused).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await connection.request(topicRoute, { topic: 'a' })
    expect(world['two:1'].of(topicRoute)).toContainEqual({ topic: 'a' })
  })

  it('of nobody is named with what each of its parts said', async () => {
    const { open, ...world } = places()
    world['one:1'].isReachable = false
    world['two:1'].on(listTopics, () => undefined)
    const thrown: unknown = await open('one:1', 'two:1', 'four:1').catch((error: unknown) => error)
    expect(ClientError.is(thrown) && thrown.code).toBe('UNREACHABLE')
    expect(String(thrown)).toMatch(
      /nobody answers at one:1, two:1, four:1: one:1: nobody is there; two:1: .*3000 ms; four:1: nobody/,
    )
  })

  it('is gone through again when the connection is lost, but for other brokers', async () => {
    const { open, pass, ...world } = places()
    const [one, two, three] = [world['one:1'], world['two:1'], world['three:1']]
    isSagalog(one, 'mine')
    isSagalog(two, 'another')
    isSagalog(three, 'mine')
    const connection = await open('one:1', 'two:1', 'three:1')
    const asked = async (): Promise<string | undefined> => {
      const reply = connection.request(topicRoute, { topic: 'a' }, { timeoutMs: 8_000 })
      const ended = reply.catch(() => undefined)
      await pass(9_000)
      await ended
      return (await reply).remark
    }
    expect(await asked()).toBe('a')
    one.isReachable = false
    one.drop()
    expect(await asked()).toBe('a')
    expect([two.of(topicRoute).length, three.of(topicRoute).length]).toEqual([0, 1])
    expect(two.of(clusterInfo)).toEqual([nothing])
  })
})
