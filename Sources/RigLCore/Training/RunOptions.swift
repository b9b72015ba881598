/// How a run is carried out; none of it reaches the result.
public struct RunOptions: Hashable, Sendable {
  /// Threads that share the work.
  public var threads = ThreadPool.processors
  /// The folder of the data files; nil: where the data's package puts them.
  public var dataFolder: String?
  /// A run, one of its checkpoints, or a safetensors file, whose network a new training starts from;
  /// nil: weights and topology are drawn. Each sparse layer takes connections and weights, or of more
  /// than it has the largest.
  public var startFrom: String?
  /// Files that give the connections which a new training starts with, each `FILE` or `LAYER=FILE`:
  /// safetensors as this library writes, Matrix Market, or CSV; empty: they are drawn. Where a file has
  /// weights, these are taken, too.
  public var topology: [String] = []
  /// The steps at which the run was made longer, as its `config.yaml` says.
  package var extendedAt: [Int] = []
  /// The run folder; nil: a new one below `runs`.
  public var output: String?
  /// Weight steps between checkpoints, 0: one at each epoch's end; nil: as the run was begun, a new
  /// one at each epoch's end.
  public var checkpointEvery: Int?
  /// Checkpoints kept; nil: as the run was begun, two of a new one.
  public var keep: Int?
  /// Megabytes of the buffer in which updates sum up the gradients of several batches; nil: as many as
  /// the activations of a batch take.
  package var growthBuffer: Int?
  /// Weight steps between lines of metrics; nil: as the run was begun, 100 in a new one.
  public var logEvery: Int?
  /// Whether the run keeps an event file for TensorBoard; nil: as the run was begun, none of a new one.
  package var tensorBoard: Bool?

  /// The defaults.
  public init() {}
}
