/**
 * At any instant one instance holds a queue: grants of a queue have growing epochs, no epoch is
 * given to two lives, and whatever was committed under a lease stands in the log before the next
 * grant of that queue. The log is the judge of "before". Pure.
 */
import type { Checker, History, LogContents } from '../history.js'

export const oneLease: Checker = {
  promise: 'one-lease',
  check(history, contents) {
    return [...epochsGrow(contents), ...oneOwner(history), ...nothingAfterTheEnd(history, contents)]
  },
}

const queueOf = (lease: { group: string; topic: string; queueId: number }): string =>
  `${lease.group} ${lease.topic}/${lease.queueId}`

function* epochsGrow({ leases }: LogContents): Iterable<string> {
  const last = new Map<string, { epoch: number; instance: string }>()
  for (const lease of leases) {
    const queue = queueOf(lease)
    const before = last.get(queue)
    last.set(queue, lease)
    if (before === undefined || lease.epoch > before.epoch) continue
    const isSame = lease.epoch === before.epoch && lease.instance === before.instance
    if (isSame && lease.isRestated) continue
    yield `${queue}: epoch ${lease.epoch} was granted to ${lease.instance} after epoch ${before.epoch}`
  }
}

function* oneOwner({ events }: History): Iterable<string> {
  const owners = new Map<string, string>()
  for (const event of events) {
    if (event.kind !== 'granted') continue
    const life = `${event.instance}#${event.life}`
    for (const grant of event.grants) {
      const key = `${queueOf({ group: event.group, ...grant })} epoch ${grant.epoch}`
      const owner = owners.get(key) ?? life
      owners.set(key, owner)
      if (owner !== life) yield `${key} was granted to ${owner} and to ${life}`
    }
  }
}

/** Effects of a run belong to the lease under which its commit was sent. */
function* nothingAfterTheEnd({ events }: History, contents: LogContents): Iterable<string> {
  const underOf = new Map<string, { queue: string; epoch: number; instance: string }>()
  for (const event of events) {
    if (event.kind !== 'commit-sent') continue
    const [lease] = event.leases
    if (lease === undefined) continue
    const queue = queueOf({ group: event.group, ...lease })
    for (const run of event.runs)
      underOf.set(run, { queue, epoch: lease.epoch, instance: event.instance })
  }
  const grants = [...contents.leases].filter(({ isRestated }) => !isRestated)
  let seen = 0
  const current = new Map<string, { epoch: number; instance: string }>()
  for (const effect of contents.effects) {
    for (; seen < grants.length; seen += 1) {
      const grant = grants[seen]
      if (grant === undefined || grant.position > effect.position) break
      current.set(queueOf(grant), grant)
    }
    const under = underOf.get(effect.run)
    if (under === undefined) {
      yield `the effect of ${effect.message} was committed by nobody`
      continue
    }
    const holder = current.get(under.queue)
    if (holder?.epoch === under.epoch && holder.instance === under.instance) continue
    yield `${under.instance} committed ${effect.message} of ${under.queue} under epoch ${under.epoch} while ${holder?.instance ?? 'nobody'} held it under epoch ${holder?.epoch ?? 0}`
  }
}
