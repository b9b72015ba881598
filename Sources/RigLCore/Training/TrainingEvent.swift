/// An event in a training, for callbacks.
public enum TrainingEvent: Sendable {
  /// Training begins, at this step: 0, or a checkpoint's.
  case started(step: Int, of: Int)
  /// A batch was trained on.
  case batch(TrainingStep.Report)
  /// A pass over the training samples, counted in weight steps, is complete.
  case epoch(Int, loss: Double?, accuracy: Double?, validation: Evaluation?)
  /// A checkpoint is complete on the disk.
  case checkpoint(path: String, step: Int)
  /// A sample cannot be read and is left out of its batch; `count` have been left out of training
  /// so far, each time it was drawn. Told once for each sample.
  case damaged(DamagedSample, count: Int)
  /// Something that deserves a line, but not an end.
  case warning(String)
  /// What the training starts from, or goes on with other than it was begun, in a line.
  case remark(String)
}

/// Whether training goes on.
public enum TrainingDecision: Sendable {
  /// Training goes on.
  case proceed
  /// It stops at the next weight step, with a checkpoint: the result has the test figures of the
  /// weights then and of the best ones.
  case stop
  /// Training stops there, to go on later: without test figures, and as soon as it can.
  case interrupt
}

/// Watches a training, and may stop it.
///
/// An own callback is one method:
///
///     struct StopEarly: TrainingCallback {
///       func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
///         if case .epoch(_, let loss?, _, _) = event, loss < 0.1 { return .stop }
///         return .proceed
///       }
///     }
public protocol TrainingCallback {
  /// Called after each event.
  func observe(_ event: TrainingEvent, in trainer: Trainer) throws(RigLError) -> TrainingDecision
}
