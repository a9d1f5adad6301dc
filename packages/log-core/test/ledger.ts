/**
 * A fold for the tests, with every class of record: halves are bodies whose fate is a fact, groups
 * have places that changes move. It keeps to the law of `Fold`.
 */
import { bytesDraft, type Draft, type Fold, type LogRecord, type Position } from '@sagalog/kernel'
import type { RecordKind } from '@sagalog/kernel'
import { SavedMap } from '../src/index.js'
import { SAVE_SLICE_CHUNKS } from '../src/limits.js'

interface Half {
  readonly position: Position
  checks: number
  /** False between the marks of a rebuild, until it is restated. */
  isRestated: boolean
}

const textDraft = (kind: RecordKind, text: string): Draft => bytesDraft(kind, Buffer.from(text))

export function ledger() {
  const halves = new SavedMap<string, Half, string>(
    ({ position, checks }, id) => `h|${id}|${position}|${checks}`,
    1,
  )
  const places = new SavedMap<string, number, string>((place, group) => `p|${group}|${place}`, 1)
  let bodies = 0

  function evolve(record: LogRecord): void {
    const text = record.source.toString('utf8', record.start, record.end)
    const [name = '', value = '0'] = text.split('|')
    switch (record.kind) {
      case 'restatement-begin':
        places.clear()
        for (const half of halves.values()) half.isRestated = false
        break
      case 'restatement-end':
        for (const [id, half] of halves) if (!half.isRestated) halves.delete(id)
        break
      case 'message':
        bodies += 1
        break
      case 'half':
        halves.set(name, { position: record.position, checks: 0, isRestated: true })
        break
      case 'half-open': {
        const half = halves.get(name)
        if (half === undefined) break
        halves.changing(name)
        half.checks = Number(value)
        half.isRestated = true
        break
      }
      case 'decision':
        halves.delete(name)
        break
      case 'place':
        places.set(name, Number(value))
        break
      case 'ack': {
        // A change: of a group that is not known here it is held by the restated place to come.
        const place = places.get(name)
        if (place !== undefined) places.set(name, place + Number(value))
        break
      }
      default:
        break
    }
  }
  const text = (): string =>
    JSON.stringify({
      bodies,
      halves: [...halves]
        .map(([id, half]) => [id, half.position, half.checks])
        .sort((a, b) => Number(a[1]) - Number(b[1])),
      places: [...places].sort(([a], [b]) => (a < b ? -1 : 1)),
    })

  const fold: Fold = {
    name: 'ledger',
    kinds: ['message', 'half', 'half-open', 'decision', 'place', 'ack'],
    evolve,
    *restate() {
      for (const [id, half] of halves) yield textDraft('half-open', `${id}|${half.checks}`)
      for (const [group, place] of places) yield textDraft('place', `${group}|${place}`)
    },
    needs() {
      let lowest: Position | undefined
      for (const { position } of halves.values()) {
        if (lowest === undefined || position < lowest) lowest = position
      }
      return lowest
    },
    needsBody({ kind, position }) {
      return kind === 'message' || [...halves.values()].some((half) => half.position === position)
    },
    save() {
      const saves = [halves.save(), places.save()]
      const first = Buffer.from(`m|${bodies}`)
      return (function* () {
        try {
          yield first
          for (const save of saves) {
            for (const slice of save) {
              // As much as a turn may take: so each entry is saved in a turn of its own.
              for (let n = 0; n < SAVE_SLICE_CHUNKS; n += 1) yield Buffer.alloc(0)
              for (const saved of slice) yield Buffer.from(saved)
            }
          }
        } finally {
          for (const save of saves) save.return()
        }
      })()
    },
    load(chunk) {
      const [tag, name = '', one, two] = chunk.toString('utf8').split('|')
      if (tag === 'm') bodies = Number(name)
      else if (tag === 'p') places.set(name, Number(one))
      else {
        const position = Number(one) as Position
        halves.set(name, { position, checks: Number(two), isRestated: true })
      }
    },
  }
  return {
    ...fold,
    text,
    halfIds: (): string[] => [...halves.keys()],
    places: (): number[] => [...places.values()],
    groups: (): string[] => [...places.keys()],
    open: (id: string): Draft => textDraft('half', id),
    check: (id: string, checks: number): Draft => textDraft('half-open', `${id}|${checks}`),
    decide: (id: string): Draft => textDraft('decision', id),
    place: (group: string, at: number): Draft => textDraft('place', `${group}|${at}`),
    ack: (group: string, by: number): Draft => textDraft('ack', `${group}|${by}`),
  }
}
