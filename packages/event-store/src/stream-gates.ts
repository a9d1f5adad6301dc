/**
 * Lets one transaction of this process at a time change a stream, so that neighbours wait instead
 * of colliding at the commit. It is a courtesy, never the guard: the expected version is. So where
 * waiting could go round in a circle, the one who would close the circle goes on without a gate.
 */
import { assert } from '@sagalog/kernel'

interface Gate {
  readonly owner: object
  readonly opened: Promise<void>
  readonly open: () => void
}

/** Which gates a transaction waits for, over all repositories of the process. */
const waits = new WeakMap<object, Set<Gate>>()

function waitsForOwner(gate: Gate, owner: object, seen = new Set<Gate>()): boolean {
  if (gate.owner === owner) return true
  if (seen.has(gate)) return false
  seen.add(gate)
  for (const next of waits.get(gate.owner) ?? []) {
    if (waitsForOwner(next, owner, seen)) return true
  }
  return false
}

async function waitFor(gate: Gate, owner: object): Promise<void> {
  const mine = waits.get(owner) ?? new Set<Gate>()
  waits.set(owner, mine)
  mine.add(gate)
  await gate.opened
  mine.delete(gate)
}

export interface StreamGates {
  /**
   * Waits until no other owner changes the stream. 'entered': the gate is new, and the owner leaves
   * it again; 'inside': the owner had entered before; 'passed': it goes on beside another.
   */
  enter(stream: string, owner: object): Promise<'entered' | 'inside' | 'passed'>
  leave(stream: string, owner: object): void
}

export function streamGates(): StreamGates {
  const gates = new Map<string, Gate>()
  return {
    async enter(stream, owner) {
      for (;;) {
        const gate = gates.get(stream)
        if (gate === undefined) break
        if (gate.owner === owner) return 'inside'
        if (waitsForOwner(gate, owner)) return 'passed'
        await waitFor(gate, owner)
      }
      let open = (): void => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      gates.set(stream, { owner, opened, open })
      return 'entered'
    },
    leave(stream, owner) {
      const gate = gates.get(stream)
      assert(gate?.owner === owner, 'a gate is left by the one who entered it')
      gates.delete(stream)
      gate.open()
    },
  }
}
