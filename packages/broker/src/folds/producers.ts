/**
 * Which sends of each producer are stored, so that one that is repeated is answered as the first
 * was, also after a restart. A producer is known from its first send on until a fact ends it; its
 * messages, halves and delayed messages say their own numbers.
 * Invariant: a number that has its place keeps it, and what lies below the floor is not taken any
 * more. Memory is that of the sends in flight, not of those that were made.
 */
import { type LogRecord, queueOffset } from '@sagalog/kernel'
import { storedQueueId, storedQueueOffset, storedSendNumber } from '@sagalog/protocol'
import { storedMessageStart } from '../records/event-record.js'
import {
  producerDraft,
  type ProducerFact,
  readProducer,
  readProducerEnd,
  type StoredSend,
} from '../records/producer-facts.js'
import { FactFold } from './fact-fold.js'
import { SendWindow } from './send-window.js'

export class ProducersFold extends FactFold {
  override readonly name = 'producers'
  override readonly kinds = ['message', 'half', 'timer', 'producer', 'producer-end'] as const
  private readonly windows = this.table<number, SendWindow>((window, producer) => {
    const { floor, lastAt } = window
    return producerDraft({ producer, floor, stored: [...window.all()] }, lastAt)
  })
  private held = 0

  /** Producers that are known. */
  get count(): number {
    return this.windows.size
  }

  /** Places for sends of all of them. */
  get places(): number {
    return this.held
  }

  get(producer: number): SendWindow | undefined {
    return this.windows.get(producer)
  }

  /** The one whose newest send is the oldest. */
  idlest(): { readonly producer: number; readonly places: number } | undefined {
    let idlest: { producer: number; places: number } | undefined
    let lastAt = Number.POSITIVE_INFINITY
    for (const [producer, window] of this.windows) {
      if (window.lastAt >= lastAt) continue
      lastAt = window.lastAt
      idlest = { producer, places: window.places }
    }
    return idlest
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'message' || record.kind === 'half' || record.kind === 'timer') {
      this.note(record)
    } else if (record.kind === 'producer') this.set(readProducer(record))
    else if (record.kind === 'producer-end') this.end(readProducerEnd(record))
    else if (record.kind === 'restatement-begin') {
      this.windows.clear()
      this.held = 0
    }
  }

  private note(record: LogRecord): void {
    const start = storedMessageStart(record)
    const send = storedSendNumber(record.source, start, record.end)
    if (send === undefined) return
    const window = this.windows.get(send.producer)
    if (window === undefined) return
    this.windows.changing(send.producer)
    this.held -= window.places
    window.store(send, placeOf(record, start))
    this.held += window.places
  }

  private set({ floor, lastAt, producer, stored }: ProducerFact): void {
    this.end(producer)
    const window = new SendWindow(floor, lastAt)
    for (const send of stored) window.store({ producer, floor, number: send.number }, send)
    window.lastAt = lastAt
    this.windows.set(producer, window)
    this.held += window.places
  }

  private end(producer: number): void {
    this.held -= this.windows.get(producer)?.places ?? 0
    this.windows.delete(producer)
  }
}

/** What has no place in a queue yet is known by its position. */
function placeOf(record: LogRecord, start: number): StoredSend {
  const { kind, position, source } = record
  return {
    position,
    queueId: storedQueueId(source, start),
    queueOffset: kind === 'message' ? storedQueueOffset(source, start) : queueOffset(position),
  }
}
