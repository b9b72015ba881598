import RigLCore

/// The line of `rigl train --json` for an epoch.
struct EpochLine: Encodable {
  let event = "epoch"
  let epoch: Int
  let epochs: Int
  let step: Int
  let totalSteps: Int
  /// Prunings of a lottery ticket so far, and in all; nil of a training without rounds.
  let round: Int?
  let rounds: Int?
  /// Of the training samples, as they were trained on.
  let loss: Double?
  let accuracy: Double?
  let validationLoss: Double?
  let validationAccuracy: Double?
  let validationTop5Accuracy: Double?
  let learningRate: Double
  let connections: Int
  /// Since the command began to train.
  let seconds: Double
}

/// The last line of `rigl train --json` where an error ends the training.
struct ErrorLine: Encodable {
  let event = "error"
  let run: String?
  let step: Int?
  let error: String
  let hint: String?
  /// The command's exit status.
  let status: Int32

  /// - Parameter trainer: nil: the training had not come so far.
  init(_ error: RigLError, _ trainer: Trainer? = nil) {
    (run, step) = (trainer?.folder?.path, trainer?.step.weightSteps)
    (self.error, hint, status) = (error.what, error.hint, error.kind.rawValue)
  }
}
