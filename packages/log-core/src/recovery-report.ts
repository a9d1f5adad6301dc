/** Puts together what recovery found and did. */
import { position } from '@sagalog/kernel'
import type { RecoveredSegment, RecoveredState, RecoveryReport } from './api.js'
import type { DamagedRange, Segment, SpareFile } from './segment.js'
import { at, type Tail } from './tail.js'

export interface Recovering {
  readonly found: readonly Segment[]
  readonly tail: Tail
  readonly removed: readonly string[]
  readonly spares: readonly SpareFile[]
  readonly ambiguousBytes: number
  readonly damage: readonly DamagedRange[]
  readonly isReadOnly: boolean
  readonly durationMs: number
}

export function reportOf(recovering: Recovering): RecoveryReport {
  const { found, tail, removed, spares, ambiguousBytes, damage, isReadOnly } = recovering
  const { active, survey, watermark } = tail
  const cut = { file: at(found, active).path, position: survey.end }
  return {
    segments: found.length,
    states: found.map((segment, index) => stateOf(segment, index - active)),
    start: at(found, 0).first,
    end: survey.end,
    watermark: position(watermark),
    ambiguousBytes,
    cut: ambiguousBytes === 0 ? undefined : cut,
    removed,
    recycled: spares.map(({ path }) => path),
    quarantined: damage,
    isReadOnly,
    durationMs: recovering.durationMs,
  }
}

function stateOf(segment: Segment, fromActive: number): RecoveredSegment {
  const { path: file, base, seal, rewritten, damage } = segment
  let state: RecoveredState = seal === undefined ? 'unsealed' : 'sealed'
  if (fromActive === 0) state = 'active'
  if (fromActive > 0) state = 'prepared'
  if (damage.length > 0) state = 'quarantined'
  return { file, base, state, isRewritten: rewritten !== undefined }
}
