/**
 * What was delivered to groups and acknowledged by them since the broker was opened: plain counts
 * for its metrics. Nothing decides by them, and a crash takes them with it.
 */
import { TALLY_ROWS_MAX } from './limits.js'

export interface Traffic {
  readonly group: string
  readonly topic: string
  /** Messages of pull answers; what is given again counts again. */
  readonly delivered: number
  readonly deliveredBytes: number
  /** Messages that the group settled, or passed over when an operator moved it ahead. */
  readonly acknowledged: number
}

type Row = { -readonly [Field in keyof Traffic]: Traffic[Field] }

/** Counts everything that has no row of its own: anybody may read in any group's name. */
const OTHERS = ''

export class Tally {
  private readonly rows = new Map<string, Row>()

  delivered(group: string, topic: string, messages: readonly Buffer[]): void {
    const row = this.row(group, topic)
    row.delivered += messages.length
    for (const message of messages) row.deliveredBytes += message.length
  }

  acknowledged(group: string, topic: string, count: number): void {
    this.row(group, topic).acknowledged += count
  }

  all(): Traffic[] {
    return [...this.rows.values()].map((row) => ({ ...row }))
  }

  private row(group: string, topic: string): Row {
    const key = `${group}\u0000${topic}`
    const known = this.rows.get(key)
    if (known !== undefined) return known
    if (this.rows.size >= TALLY_ROWS_MAX && group !== OTHERS) return this.row(OTHERS, OTHERS)
    const row = { group, topic, delivered: 0, deliveredBytes: 0, acknowledged: 0 }
    this.rows.set(key, row)
    return row
  }
}
