export type { Appended, AppendOutcome, CursorOptions, Durability, FrameRange } from './api.js'
export type { FrameRangeOptions, Log, LogCursor, LogOptions, LogStats } from './api.js'
export type { LogHealth, RecoveredSegment, RecoveredState } from './api.js'
export type { ReadOptions, RecoveryReport, ScanOptions, WriteOptions } from './api.js'
export { backupLog, type BackupOptions } from './backup.js'
export { type BackupFile, type BackupManifest, readManifest } from './backup-manifest.js'
export { type DumpedRecord, dumpLog, type DumpOptions, type DumpVisitor } from './dump.js'
export { LogError } from './errors.js'
export { type Folds, type FoldsOptions, openFolds } from './fold-runner.js'
export { frameBytesOf } from './frame-format.js'
export {
  type InspectOptions,
  inspectLog,
  type SegmentState,
  type SegmentSummary,
} from './inspect.js'
export { expectLog } from './log-files.js'
export { type Need, type NeedRow, NeedsTable } from './needs.js'
export { openLog } from './open-log.js'
export { identityPlaces, type PlaceRun, type Places, type PlacesOf, tablePlaces } from './places.js'
export type { RetentionOptions, RetentionReport, RewrittenFile } from './retention.js'
export {
  type PlanInput,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
  type SegmentFacts,
} from './retention-plan.js'
export { SavedMap } from './saved-map.js'
export { restoreLog, type RestoreOptions, verifyBackup } from './restore.js'
export type { ScrubbedSegment, Scrubbing, ScrubOptions, ScrubPlan } from './scrub.js'
export type { ScrubReport } from './scrub.js'
export type { DamagedRange } from './segment.js'
export { type Damage, type Verdict, verifyLog, type VerifyOptions } from './verify.js'
