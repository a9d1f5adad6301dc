/** What sagas say to the gates, which keep limits and locks for all instances. */
import { topic } from '@sagalog/client'
import * as t from 'io-ts'

const Asked = t.type(
  {
    /** How many may hold it at a time; any number without it. */
    slots: t.union([t.number, t.undefined]),
    /** How many may begin in a second; any number without it. */
    perSecond: t.union([t.number, t.undefined]),
    replyTo: t.string,
    shardingKey: t.string,
    sagaId: t.string,
    step: t.string,
    attempt: t.number,
  },
  'Asked',
)
export const AskingCodec = t.intersection(
  [
    Asked,
    // It keeps others waiting while it waits: it holds a lock, or its parent may.
    t.partial({ keepsOthers: t.boolean }),
  ],
  'Asking',
)
export type Asking = t.TypeOf<typeof AskingCodec>

/** Who waits for a lock, and for whom in turn. In a ring it comes back to the asker. */
export const Probe = t.type({ asked: AskingCodec, ring: t.array(t.string) }, 'Probe')
export type Probe = t.TypeOf<typeof Probe>

export const GateMessage = t.union(
  [
    t.type({ kind: t.literal('acquire'), gate: t.string, holder: t.string, asking: AskingCodec }),
    t.type({ kind: t.literal('release'), gate: t.string, holder: t.string }),
    // One who waits at this gate keeps the asker of a probe waiting.
    t.type({ kind: t.literal('probe'), gate: t.string, holder: t.string, probe: Probe }),
    // The gate reminds itself that a second has passed.
    t.type({ kind: t.literal('tick'), gate: t.string, holder: t.string }),
  ],
  'GateMessage',
)
export type GateMessage = t.TypeOf<typeof GateMessage>

/** Sharded by the gate's name: one instance at a time decides for a gate. */
export const Gates = topic('saga-gates', GateMessage)

/** Asks for a place at a gate, or gives it back when nothing is asked for. */
export function gateMessage(
  { gate, holder }: { readonly gate: string; readonly holder: string },
  asking: Asking | undefined,
): GateMessage {
  if (asking === undefined) return { kind: 'release', gate, holder }
  return { kind: 'acquire', gate, holder, asking }
}
