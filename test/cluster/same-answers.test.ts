/**
 * The same questions to Apache RocketMQ 5.3.3 and to `sagalog start`, by our codecs: the answers
 * must be the same in everything that does not differ by its nature (ids, times, positions).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { position, queueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { decodeStoredMessage, propertyOf } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import { whySkipped } from '../interop/java-clients.js'
import { StandaloneProcess } from '../interop/standalone-process.js'
import { RemotingCaller } from './remoting-caller.js'
import { startCluster } from './rocketmq-process.js'

const skipped = whySkipped()
const NAME = 'sagalog'
const queue = { topic: 'Cmp', queueId: 0 }

const messageOf = (body: string, more: Partial<protocol.SendMessageRequest> = {}) => ({
  producerGroup: 'P',
  topic: 'Cmp',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 0,
  sysFlag: 0,
  bornTimestampMs: 1_700_000_000_000,
  flag: 7,
  properties: '',
  reconsumeTimes: 0,
  body: Buffer.from(body),
  ...more,
})

const withTag = (body: string, tag: string) =>
  messageOf(body, { properties: `TAGS\u0001${tag}\u0002UNIQ_KEY\u0001u-${body}\u0002` })

const pullOf = (offset: number, more: Partial<protocol.PullMessageRequest> = {}) => ({
  consumerGroup: 'G',
  ...queue,
  queueOffset: queueOffset(offset),
  maxMessages: 32,
  maxBytes: 262_144,
  suspendMs: 0,
  subscription: '*',
  expressionType: 'TAG',
  ...more,
})

/** What one broker answered, question by question. */
class Interview {
  readonly answers: [question: string, answer: unknown][] = []
  private readonly names: RemotingCaller
  private readonly broker: RemotingCaller

  constructor(names: RemotingCaller, broker: RemotingCaller) {
    this.names = names
    this.broker = broker
  }

  private async ask<Req, Res>(
    question: string,
    codec: protocol.RequestCodec<Req, Res>,
    request: Req,
    shown: (payload: Res) => unknown = () => undefined,
  ): Promise<Res> {
    const { code, payload } = await this.broker.call(codec, request)
    this.answers.push([question, [code, payload === undefined ? undefined : shown(payload)]])
    return payload
  }

  /** Asks until the answer is as wanted: some things are done a moment later. */
  private async until<Req, Res>(
    codec: protocol.RequestCodec<Req, Res>,
    request: Req,
    isThere: (payload: Res) => boolean,
    caller = this.broker,
  ): Promise<void> {
    for (let tries = 0; tries < 80; tries += 1) {
      const { payload } = await caller.call(codec, request)
      if (payload !== undefined && isThere(payload)) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`${codec.name} ${JSON.stringify(request)}: what was awaited did not come`)
  }

  private async untilMax(topic: string, wanted: number): Promise<void> {
    await this.until(protocol.maxOffset, { topic, queueId: 0 }, ({ offset }) => offset >= wanted)
  }

  async run(): Promise<void> {
    await this.sending()
    await this.reading()
    await this.group()
    await this.places()
    await this.comingBack()
    await this.transactions()
  }

  private async sending(): Promise<void> {
    const sent = (payload: protocol.SendMessageResponse) => [
      payload.queueId,
      payload.queueOffset,
      payload.transactionId,
      payload.msgId.split(',').map((id) => id.length),
    ]
    const { sendMessage } = protocol
    for (const [body, tag] of [
      ['a', 'A'],
      ['b', 'B'],
      ['c', 'A'],
    ] as const)
      await this.ask(`send ${body}`, sendMessage, withTag(body, tag), sent)
    await this.ask('no such queue', sendMessage, messageOf('x', { queueId: 99 }), sent)
    await this.ask('bad name', sendMessage, messageOf('x', { topic: 'a b' }), sent)
    const large = messageOf('x', { body: Buffer.alloc(4 * 1024 * 1024 + 1) })
    await this.ask('too large', sendMessage, large, sent)
    const { body: _, ...header } = messageOf('')
    const messages = ['d', 'e', 'f'].map((body) => ({
      flag: 0,
      properties: `UNIQ_KEY\u0001u-${body}\u0002`,
      body: Buffer.from(body),
    }))
    await this.ask('batch', protocol.sendBatch, { ...header, messages }, sent)
    await this.untilMax('Cmp', 6)
    await this.until(protocol.topicRoute, { topic: 'Cmp' }, () => true, this.names)
    for (const topic of ['Cmp', 'TBW102', 'NoSuchTopic']) {
      const { code, payload } = await this.names.call(protocol.topicRoute, { topic })
      const { brokerName, perm } = payload ?? {}
      this.answers.push([`route of ${topic}`, [code, brokerName, perm]])
    }
  }

  private async reading(): Promise<void> {
    const pulled = (payload: protocol.PullMessageResponse) => [
      payload.nextBeginOffset,
      payload.minOffset,
      payload.maxOffset,
      payload.messages.map((bytes) => {
        const {
          body,
          flag,
          queueId,
          queueOffset: at,
          reconsumeTimes,
          sysFlag,
        } = decodeStoredMessage(bytes)
        return [body.toString(), flag, queueId, at, reconsumeTimes, sysFlag]
      }),
    ]
    const beat = {
      clientId: 'c1',
      producerGroups: ['P'],
      consumers: [
        {
          group: 'G',
          mode: 'clustering' as const,
          subscriptions: [{ topic: 'Cmp', expression: '*', expressionType: 'TAG', version: 1 }],
        },
      ],
    }
    await this.ask('heartbeat', protocol.heartbeat, beat)
    const { pullMessage } = protocol
    await this.ask('pull', pullMessage, pullOf(0), pulled)
    await this.ask('pull two', pullMessage, pullOf(1, { maxMessages: 2 }), pulled)
    await this.ask('pull by tag', pullMessage, pullOf(0, { subscription: 'A' }), pulled)
    await this.ask('pull what none has', pullMessage, pullOf(0, { subscription: 'Z' }), pulled)
    await this.ask('pull at the end', pullMessage, pullOf(6), pulled)
    await this.ask('pull beyond', pullMessage, pullOf(9), pulled)
    await this.ask('pull no topic', pullMessage, pullOf(0, { topic: 'NoSuchTopic' }), pulled)
    await this.ask('pull no queue', pullMessage, pullOf(0, { queueId: 99 }), pulled)
    const at = ({ offset }: protocol.OffsetResponse) => offset
    await this.ask('max', protocol.maxOffset, queue, at)
    await this.ask('min', protocol.minOffset, queue, at)
    const search = { ...queue, boundary: 'lower' as const }
    await this.ask('first', protocol.searchOffset, { ...search, timestampMs: 0 }, at)
    const later = Date.now() + 1_000_000
    await this.ask('later', protocol.searchOffset, { ...search, timestampMs: later }, at)
  }

  private async group(): Promise<void> {
    const { groupMembers, lockQueues, unlockQueues } = protocol
    const ids = ({ clientIds }: { readonly clientIds: readonly string[] }) => clientIds
    await this.ask('members', groupMembers, { consumerGroup: 'G' }, ids)
    await this.ask('no members', groupMembers, { consumerGroup: 'Nobody' }, ids)
    const queues = [0, 1].map((queueId) => ({ topic: 'Cmp', brokerName: NAME, queueId }))
    const lock = (clientId: string) => ({ clientId, consumerGroup: 'G', queues })
    const locked = (payload: { readonly locked: readonly protocol.QueueName[] }) =>
      payload.locked.map(({ queueId }) => queueId).toSorted((left, right) => left - right)
    await this.ask('lock', lockQueues, lock('c1'), locked)
    await this.ask('lock again', lockQueues, lock('c1'), locked)
    await this.ask('lock of another', lockQueues, lock('c2'), locked)
    await this.ask('unlock', unlockQueues, lock('c1'))
    await this.ask('lock after it', lockQueues, lock('c2'), locked)
    await this.ask('unlock that', unlockQueues, lock('c2'))
  }

  private async places(): Promise<void> {
    const { queryConsumerOffset, updateConsumerOffset } = protocol
    const place = { consumerGroup: 'G', ...queue }
    const at = ({ offset }: protocol.OffsetResponse) => offset
    const ask = (question: string, setZeroIfNotFound = true) =>
      this.ask(question, queryConsumerOffset, { ...place, setZeroIfNotFound }, at)
    await ask('no place, or none', false)
    await ask('no place, or the first')
    for (const offset of [3, 1]) {
      const commitOffset = queueOffset(offset)
      await this.ask(`stand at ${offset}`, updateConsumerOffset, { ...place, commitOffset })
      await ask(`where after ${offset}`)
    }
    const elsewhere = { ...place, topic: 'NoSuchTopic', commitOffset: queueOffset(0) }
    await this.ask('stand nowhere', updateConsumerOffset, elsewhere)
  }

  private async comingBack(): Promise<void> {
    const { payload } = await this.broker.call(protocol.pullMessage, pullOf(0))
    const [first] = payload.messages.map((bytes) => decodeStoredMessage(bytes))
    if (first === undefined) throw new Error('nothing to send back')
    const back = {
      position: first.physicalOffset,
      group: 'G',
      originTopic: 'Cmp',
      maxReconsumeTimes: 3,
    }
    await this.ask('send back', protocol.sendBack, { ...back, delayLevel: 1 })
    await this.ask('give up', protocol.sendBack, { ...back, delayLevel: -1 })
    const nowhere = { ...back, position: position(1_000_000_000_000), delayLevel: 1 }
    await this.ask('send back nothing', protocol.sendBack, nowhere)
    const delayed = messageOf('late', { topic: 'Late', properties: 'DELAY\u00011\u0002' })
    await this.ask('send late', protocol.sendMessage, delayed)
    for (const topic of ['%RETRY%G', '%DLQ%G', 'Late']) {
      await this.untilMax(topic, 1)
      const pull = pullOf(0, { topic })
      await this.ask(`pull ${topic}`, protocol.pullMessage, pull, ({ messages }) =>
        messages.map((bytes) => {
          const { body, properties, reconsumeTimes } = decodeStoredMessage(bytes)
          const names = ['RETRY_TOPIC', 'TAGS', 'UNIQ_KEY']
          const values = names.map((name) => propertyOf(properties, name) ?? '')
          return [body.toString(), reconsumeTimes, ...(topic === 'Late' ? [] : values)]
        }),
      )
    }
    const body = (seen: { readonly message: Buffer }) =>
      decodeStoredMessage(seen.message).body.toString()
    await this.ask('view', protocol.viewMessage, { position: first.physicalOffset }, body)
    const far = { position: position(1_000_000_000_000) }
    await this.ask('view nothing', protocol.viewMessage, far, body)
  }

  private async transactions(): Promise<void> {
    for (const decision of ['rollback', 'commit'] as const) {
      const properties = `TRAN_MSG\u0001true\u0002PGROUP\u0001P\u0002UNIQ_KEY\u0001${decision}\u0002`
      const half = messageOf(decision, { topic: 'Tx', sysFlag: 4, properties })
      const sent = await this.ask(`half to ${decision}`, protocol.sendMessage, half, (payload) => [
        payload.queueId,
        payload.transactionId,
      ])
      this.broker.tell(protocol.endTransaction, {
        topic: 'Tx',
        producerGroup: 'P',
        tranStateTableOffset: sent.queueOffset,
        commitLogOffset: protocol.positionInOffsetId(sent.msgId) ?? position(0),
        decision,
        fromTransactionCheck: false,
        msgId: decision,
        transactionId: decision,
      })
    }
    await this.untilMax('Tx', 1)
    await this.ask('pull Tx', protocol.pullMessage, pullOf(0, { topic: 'Tx' }), ({ messages }) =>
      messages.map((bytes) => {
        const { body, properties, sysFlag } = decodeStoredMessage(bytes)
        // RocketMQ leaves TRAN_MSG on what was committed; we do not.
        const names = ['PGROUP', 'UNIQ_KEY']
        return [body.toString(), sysFlag, ...names.map((name) => propertyOf(properties, name))]
      }),
    )
  }
}

async function interview(address: { readonly nameServer: string; readonly broker: string }) {
  const names = await RemotingCaller.connect(address.nameServer)
  const broker = await RemotingCaller.connect(address.broker)
  try {
    const interviewed = new Interview(names, broker)
    await interviewed.run()
    return interviewed.answers
  } finally {
    names.close()
    broker.close()
  }
}

describe.skipIf(skipped !== undefined)(
  `Apache RocketMQ${skipped === undefined ? '' : ` (not here: ${skipped})`}`,
  { timeout: 240_000 },
  () => {
    test('and sagalog start answer the same', async () => {
      const home = mkdtempSync(join(tmpdir(), 'sagalog-cluster-'))
      const ports = ['--port', '0', '--name-server-port', '0', '--name', NAME]
      const ours = new StandaloneProcess(join(home, 'ours'), ports)
      const theirs = await startCluster(join(home, 'theirs'), [NAME])
      try {
        const [own, apache] = [
          await interview(await ours.ready),
          await interview({
            nameServer: theirs.nameServer,
            broker: theirs.brokers.get(NAME) ?? '',
          }),
        ]
        expect(own.length).toBeGreaterThan(40)
        expect(own).toEqual(apache)
      } finally {
        theirs.stop()
        await ours.stop()
        rmSync(home, { recursive: true, force: true })
      }
    })
  },
)
