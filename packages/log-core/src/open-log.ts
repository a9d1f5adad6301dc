/** Opens a log: takes the directory, recovers what is there, and puts the parts together. */
import { assert, DiskError, noHops, position, sleep } from '@sagalog/kernel'
import type { DirectoryLock, SyncMode } from '@sagalog/kernel'
import type { Log, LogOptions } from './api.js'
import { asLogError, LogError } from './errors.js'
import { MANIFEST_NAME } from './backup-manifest.js'
import { RESTORE_MARK } from './vacant-directory.js'
import { Gather } from './gather.js'
import * as limits from './limits.js'
import { SegmentedLog } from './log.js'
import { identityPlaces } from './places.js'
import { recoverReadOnly } from './read-only-recovery.js'
import { type Recovered, recover, type RecoveryOptions } from './recovery.js'
import { createSegment, type SegmentPlan } from './segment.js'
import { Segments } from './segments.js'

/**
 * Opens the log in a directory, for this process alone. Rejects with LogError LOCKED, CORRUPT,
 * FORMAT_UNSUPPORTED, DISK_FULL or IO; then the directory is as it was, and free. With `onDamage:
 * 'read-only'` a damaged log opens for reading: `append` throws READ_ONLY, and the report lists
 * what is damaged.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { disk, directory } = options
  let lock: DirectoryLock | undefined
  try {
    await disk.makeDirectory(directory)
    lock = await lockSoon(options)
    await refuseMarked(options)
    return await openLocked(options, lock)
  } catch (error) {
    // What went wrong first is told.
    await lock?.release().catch(() => undefined)
    throw asLogError(error, directory)
  }
}

/** Takes the directory, or waits for it as long as was asked. */
async function lockSoon({ disk, clock, directory, lock }: LogOptions): Promise<DirectoryLock> {
  const untilMs = clock.monotonicMs() + (lock?.waitMs ?? 0)
  for (;;) {
    try {
      return await disk.lock(directory)
    } catch (error) {
      const leftMs = untilMs - clock.monotonicMs()
      if (!DiskError.is(error) || error.code !== 'IN_USE' || leftMs <= 0) throw error
      await sleep(clock, Math.min(limits.LOCK_RETRY_MS, leftMs))
    }
  }
}

/** A backup is not a log, and neither is what a restore has not finished. */
async function refuseMarked({ disk, directory }: LogOptions): Promise<void> {
  const names = await disk.list(directory)
  const refuse = (reason: string): never => {
    throw new LogError('DIRECTORY_UNUSABLE', { directory, reason })
  }
  if (names.includes(MANIFEST_NAME)) refuse('it is a backup; restore it into another directory')
  if (names.includes(RESTORE_MARK)) refuse('a restore into it was not finished; restore again')
}

async function openLocked(options: LogOptions, lock: DirectoryLock): Promise<Log> {
  const { disk, clock, directory, durability = 'sync', hops = noHops } = options
  const segmentBytes = options.segmentBytes ?? limits.SEGMENT_BYTES_DEFAULT
  assert(
    segmentBytes >= limits.SEGMENT_BYTES_MIN &&
      segmentBytes <= limits.SEGMENT_BYTES_MAX &&
      segmentBytes % limits.FRAME_ALIGN_BYTES === 0,
    'segmentBytes is a multiple of 8 from 512 to 2^30',
  )
  const isOnDemand = durability !== 'sync'
  const sync: SyncMode = isOnDemand ? 'on-demand' : 'each-write'
  const plan: SegmentPlan = { disk, directory, placesOf: options.places ?? identityPlaces }
  const recovered =
    (await recoverOr({ plan, clock, sync }, options.onDamage)) ??
    (await begin(plan, segmentBytes, sync))
  const { segments, ready, spares, report, epoch } = recovered
  const gather = new Gather({
    cacheBytes: options.cacheBytes ?? limits.CACHE_BYTES_DEFAULT,
    end: report.end,
    epoch: epoch + 1,
  })
  const log = new SegmentedLog({
    directory,
    clock,
    hops,
    durability,
    inFlightBytesMax: options.inFlightBytesMax ?? limits.IN_FLIGHT_BYTES_MAX_DEFAULT,
    scrub: options.scrub,
    sealBytesPerSecond: options.sealBytesPerSecond ?? limits.CHECK_BYTES_PER_SECOND,
    gather,
    segmentsFor: (onChange, onFailure) =>
      new Segments({ plan, clock, sync, segments, ready, spares, onChange, onFailure }),
    report,
    lock,
  })
  if (report.isReadOnly) return log
  try {
    await log.begin()
  } catch (error) {
    await log.abandon()
    throw error
  }
  return log
}

/** What recovery finds; over damage, a log for reading only where that was asked for. */
async function recoverOr(
  recovery: RecoveryOptions,
  onDamage: LogOptions['onDamage'],
): Promise<Recovered | undefined> {
  try {
    return await recover(recovery)
  } catch (error) {
    const isDamage = LogError.is(error) && error.code === 'CORRUPT'
    const readable =
      isDamage && onDamage === 'read-only' ? await recoverReadOnly(recovery) : undefined
    if (readable === undefined) throw error
    return readable
  }
}

/** A directory without segments gets its first one. */
async function begin(plan: SegmentPlan, segmentBytes: number, sync: SyncMode): Promise<Recovered> {
  const segment = await createSegment(
    plan,
    { base: position(0), generation: 1, segmentBytes },
    sync,
  )
  return {
    segments: [segment],
    ready: [],
    spares: [],
    epoch: 0,
    report: {
      segments: 1,
      states: [{ file: segment.path, base: segment.base, state: 'active', isRewritten: false }],
      start: segment.first,
      end: segment.first,
      watermark: position(0),
      ambiguousBytes: 0,
      cut: undefined,
      removed: [],
      recycled: [],
      quarantined: [],
      isReadOnly: false,
      durationMs: 0,
    },
  }
}
