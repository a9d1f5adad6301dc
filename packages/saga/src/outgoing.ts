/**
 * What a saga sends, made from the effects of a decision: commands, timers, messages to itself, to
 * its parent and its children. Made completely before anything is put into a transaction, because
 * the functions that make commands are the user's and may throw.
 */
import { type Topic, topic, type Tx } from '@sagalog/client'
import { assert, unreachable } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { childId, childStart, tellParent } from './child.js'
import type { SagaDefinition, StepMeta } from './definition.js'
import type { SagaState } from './evolve.js'
import { type Asking, gateMessage, Gates } from './gate-messages.js'
import { InboxMessage } from './inbox.js'
import { commandProperties, stepKey } from './participant.js'
import { contextOf, doneOf } from './step-context.js'
import { UNDO_PATIENCE_MS } from './step-waits.js'
import type { Effect, StepEffect } from './turn.js'

/** Something that is ready to be put into a transaction. */
export type Outgoing = (tx: Tx) => void

/** One saga, as its effects see it. */
export interface Sender {
  readonly definition: SagaDefinition
  readonly sagaId: string
  readonly state: SagaState
}

/** The key of the queue in which all stands that the saga hears. */
export function shardOf({ sagaId, state }: Sender): string {
  return state.lane?.key ?? sagaId
}

export function metaOf(sagaId: string, name: string): StepMeta {
  return { key: stepKey(sagaId, name), sagaId, step: name }
}

/** Unique among all timers: definitions may have sagas of the same id. */
function timerId({ definition, sagaId }: Sender, name: string, attempt: number): string {
  const id = `${definition.name}/${stepKey(sagaId, name)}`
  return attempt === 1 ? id : `${id}/${attempt}`
}

const deadlineId = ({ definition, sagaId }: Sender): string => `${definition.name}/${sagaId}`

/** A body that is encoded already, for the topic of its command. */
function encoded(to: Topic<unknown>, body: unknown): Topic<unknown> {
  const bytes = to.encode(body)
  return { ...to, encode: () => bytes }
}

type EffectOf<Kind extends StepEffect['kind']> = Extract<StepEffect, { readonly kind: Kind }>

function remoteCommand(sender: Sender, { step, name, action }: EffectOf<'command'>): Outgoing {
  const { definition, sagaId, state } = sender
  const remote = step.action
  assert(remote.kind === 'remote', 'a command belongs to a remote step')
  const context = contextOf(definition, state, step, name)
  const meta = metaOf(sagaId, name)
  const body =
    action === 'run'
      ? remote.run(context, meta)
      : remote.undo?.(context, doneOf(state, step, name), meta)
  const to = encoded(remote.to, body)
  const laneKey = shardOf(sender)
  const properties = commandProperties({
    saga: definition.name,
    sagaId,
    step: name,
    action,
    laneKey,
    replyTo: definition.inbox.name,
  })
  return (tx) => tx.send(to, body, { shardingKey: laneKey, properties })
}

function childCommand(sender: Sender, { step, name, action }: EffectOf<'command'>): Outgoing {
  const { definition, sagaId, state } = sender
  assert(step.action.kind === 'child', 'a child belongs to the step of a child')
  const { child } = step.action
  const input = step.action.input(contextOf(definition, state, step, name), metaOf(sagaId, name))
  const parent = { inbox: definition.inbox.name, sagaId, step: name, shardingKey: shardOf(sender) }
  const { body, shardingKey } = childStart(child, input, parent)
  if (action === 'run') return (tx) => tx.send(child.inbox, body, { shardingKey })
  const revoke: InboxMessage = { kind: 'revoke', sagaId: childId(parent) }
  return (tx) => tx.send(child.inbox, revoke, { shardingKey })
}

function timer(sender: Sender, { step, name, attempt }: EffectOf<'timer'>): Outgoing {
  const { definition, sagaId, state } = sender
  const delayMs = step.action.timeoutMs?.(contextOf(definition, state, step, name))
  assert(
    delayMs !== undefined && Number.isFinite(delayMs) && delayMs >= 0,
    `the timeout of ${step.name} is a number of milliseconds`,
  )
  const body: InboxMessage = {
    kind: 'timeout',
    sagaId,
    step: name,
    attempt,
    action: undefined,
  }
  return later(sender, { id: timerId(sender, name, attempt), delayMs, body })
}

function later(
  sender: Sender,
  { id, delayMs, body }: { id: string; delayMs: number; body: InboxMessage },
): Outgoing {
  const { inbox } = sender.definition
  const shardingKey = shardOf(sender)
  return (tx) => tx.schedule(id, delayMs, inbox, body, { shardingKey })
}

const undoTimerName = (name: string): string => `${name}/undo`

function undoTimer(sender: Sender, { name, attempt }: EffectOf<'undo-timer'>): Outgoing {
  const { sagaId } = sender
  const body: InboxMessage = { kind: 'timeout', sagaId, step: name, attempt, action: 'undo' }
  const id = timerId(sender, undoTimerName(name), attempt)
  return later(sender, { id, delayMs: UNDO_PATIENCE_MS, body })
}

/** The saga tells itself to go on with a local step, or with several of them side by side. */
function goOnLater(sender: Sender, effect: EffectOf<'act'>, more: readonly string[]): Outgoing {
  const { definition, sagaId } = sender
  const { name, attempt, delayMs, action } = effect
  const body: InboxMessage = {
    kind: 'continue',
    sagaId,
    step: name,
    attempt: delayMs > 0 ? attempt : undefined,
    more: more.length > 0 ? [...more] : undefined,
  }
  const shardingKey = shardOf(sender)
  if (delayMs === 0) return (tx) => tx.send(definition.inbox, body, { shardingKey })
  const id = timerId(sender, `${name}/${action === 'run' ? 'again' : 'undo-again'}`, attempt)
  return later(sender, { id, delayMs, body })
}

function askingOf(
  sender: Sender,
  { step, name, attempt }: Pick<EffectOf<'acquire'>, 'step' | 'name' | 'attempt'>,
): Asking {
  const { definition, sagaId } = sender
  const isLock = step.action.kind === 'lock'
  return {
    slots: isLock ? 1 : step.limit?.concurrency,
    perSecond: step.limit?.perSecond,
    replyTo: definition.inbox.name,
    shardingKey: shardOf(sender),
    sagaId,
    step: name,
    attempt,
    ...(isLock && keepsOthers(sender) ? { keepsOthers: true } : {}),
  }
}

function ofGate(sender: Sender, effect: EffectOf<'acquire' | 'release'>): Outgoing {
  const { definition, sagaId, state } = sender
  const { step, name } = effect
  const { action, limit } = step
  const key =
    action.kind === 'lock' ? action.key(contextOf(definition, state, step, name)) : undefined
  const where = {
    gate: key === undefined ? `limit/${limit?.name ?? ''}` : `lock/${key}`,
    holder: `${definition.name}/${stepKey(sagaId, name)}`,
  }
  const asking = effect.kind === 'release' ? undefined : askingOf(sender, effect)
  const body = gateMessage(where, asking)
  return (tx) => tx.send(Gates, body, { shardingKey: body.gate })
}

/** Asks on whom this saga waits for, on behalf of somebody who waits for it. */
function askOn(sender: Sender, { step, name, attempt, ...effect }: EffectOf<'probe'>): Outgoing {
  const { definition, sagaId, state } = sender
  const { action } = step
  const context = contextOf(definition, state, step, name)
  const probe = effect.probe ?? { asked: askingOf(sender, { step, name, attempt }), ring: [] }
  if (action.kind === 'child') {
    const child = childId({ sagaId, step: name })
    const lane = action.child.laneOf(action.input(context, metaOf(sagaId, name)))
    const body: InboxMessage = { kind: 'blocking', sagaId: child, probe }
    return (tx) => tx.send(action.child.inbox, body, { shardingKey: lane?.key ?? child })
  }
  assert(action.kind === 'lock', 'only a lock or a child keeps a saga waiting for another one')
  const gate = `lock/${action.key(context)}`
  const holder = `${definition.name}/${stepKey(sagaId, name)}`
  return (tx) => tx.send(Gates, { kind: 'probe', gate, holder, probe }, { shardingKey: gate })
}

/** True when others may wait for it while it waits itself. */
function keepsOthers({ definition, state }: Sender): boolean {
  const isHeld = (name: string): boolean => state.steps.get(name)?.status === 'done'
  const holds = definition.steps.some(({ action, name }) => action.kind === 'lock' && isHeld(name))
  return holds || state.parent !== undefined
}

const inboxes = new Map<string, Topic<InboxMessage>>()

function toParent(
  sender: Sender,
  outcome: Extract<Effect, { kind: 'tell-parent' }>['outcome'],
): Outgoing {
  const { parent } = sender.state
  assert(parent !== undefined, 'only a child tells its parent')
  const inbox = inboxes.get(parent.inbox) ?? topic(parent.inbox, InboxMessage)
  inboxes.set(parent.inbox, inbox)
  const body = tellParent(sender.state, parent, outcome)
  return (tx) => tx.send(inbox, body, { shardingKey: parent.shardingKey })
}

function deadline(sender: Sender): Outgoing {
  const { definition, sagaId, state } = sender
  const read = definition.input.decode(state.input)
  const delayMs = E.isRight(read) ? definition.deadlineMs(read.right) : undefined
  assert(
    delayMs !== undefined && Number.isFinite(delayMs) && delayMs >= 0,
    `the deadline of ${definition.name} is a number of milliseconds`,
  )
  return later(sender, { id: deadlineId(sender), delayMs, body: { kind: 'deadline', sagaId } })
}

/**
 * `more`: other local steps that go on at the same time. Throws what the user's functions throw.
 */
export function outgoingOf(sender: Sender, effect: Effect, more: readonly string[] = []): Outgoing {
  switch (effect.kind) {
    case 'probe':
      return askOn(sender, effect)
    case 'command':
      return effect.step.action.kind === 'child'
        ? childCommand(sender, effect)
        : remoteCommand(sender, effect)
    case 'timer':
      return timer(sender, effect)
    case 'cancel-timer': {
      const id = timerId(sender, effect.name, effect.attempt)
      return (tx) => tx.cancel(id)
    }
    case 'undo-timer':
      return undoTimer(sender, effect)
    case 'cancel-undo-timer': {
      const id = timerId(sender, undoTimerName(effect.name), effect.attempt)
      return (tx) => tx.cancel(id)
    }
    case 'act':
      return goOnLater(sender, effect, more)
    case 'acquire':
    case 'release':
      return ofGate(sender, effect)
    case 'tell-parent':
      return toParent(sender, effect.outcome)
    case 'deadline':
      return deadline(sender)
    case 'cancel-deadline': {
      const id = deadlineId(sender)
      return (tx) => tx.cancel(id)
    }
    default:
      return unreachable(effect)
  }
}
