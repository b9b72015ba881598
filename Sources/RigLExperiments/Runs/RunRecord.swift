/// A run as reports and comparisons see it: its settings, its figures and, where its folder is there,
/// what happened in it.
package struct RunRecord: Hashable, Sendable {
  /// How far a run has come.
  package enum State: Hashable, Sendable {
    /// Trained to the end.
    case finished
    /// Ended by an error, whose sentence this is.
    case failed(String)
    /// Stopped before its end, or still going on.
    case unfinished(step: Int, of: Int)
  }

  /// The name of the run: its folder's, unique among the runs of a report.
  package var name: String
  /// How far it has come.
  package var state: State
  /// The settings that differ from the library's defaults, by key, each as YAML writes it in a line;
  /// `seed` and `method` are always there.
  package var settings: [String: String]
  /// The version and, where it is known, the commit of the program.
  package var program: String
  /// What came out of it.
  package var figures: Figures
  /// What happened in it; nil where its folder is gone, or it was not asked for.
  package var history: RunHistory?
  /// The path of its folder; nil where that is gone.
  package var folder: String?

  /// Creates a record.
  package init(
    name: String, state: State, settings: [String: String], program: String,
    figures: Figures = Figures(), history: RunHistory? = nil
  ) {
    self.name = name
    self.state = state
    self.settings = settings
    self.program = program
    self.figures = figures
    self.history = history
  }
}

extension RunRecord {
  /// The figures of a run; nil: not known, or not reached yet.
  package struct Figures: Hashable, Sendable {
    /// The share of test samples that the last weights predict rightly.
    package var testAccuracy: Double?
    /// The mean loss of the test samples by the last weights.
    package var testLoss: Double?
    /// The test accuracy of the weights that were best on the validation samples.
    package var bestTestAccuracy: Double?
    /// Floating-point operations of the whole training, by the conventions of `rigl flops`.
    package var trainingFLOPs: Double?
    /// Floating-point operations of the prediction of one sample.
    package var inferenceFLOPs: Double?
    /// Bytes of the stored network: weights, topology and biases.
    package var bytes: Int?
    /// Seconds of the training.
    package var seconds: Double?
    /// Whether nothing else of the sweep ran beside it, so that its seconds can be compared.
    package var wasAlone = false
    /// The most memory that the process had, bytes.
    package var peakMemoryBytes: Int?
    /// Active connections at the end.
    package var connections: Int?
    /// Positions that could have had a connection.
    package var positions: Int?
    /// Units of all layers but the last.
    package var hiddenUnits: Int?
    /// Those of them that a path of connections joins to inputs and outputs.
    package var liveUnits: Int?
    /// The share of positions that had a connection at some time.
    package var exploredShare: Double?

    package init() {}
  }
}

/// What happened in a run, read from its folder.
package struct RunHistory: Hashable, Sendable {
  /// A point of the learning curves.
  package struct Point: Hashable, Sendable {
    /// Weight steps taken.
    package var step: Int
    /// `train`, `validation` or `test`.
    package var split: String
    package var loss: Double?
    package var accuracy: Double?
    package var learningRate: Double?
    /// The norm of the gradients before clipping.
    package var gradientNorm: Double?

    package init(step: Int, split: String) {
      self.step = step
      self.split = split
    }
  }

  /// A topology update.
  package struct Update: Hashable, Sendable {
    package var step: Int
    /// Active connections after it.
    package var connections: Int?
    /// Connections that it moved.
    package var moved: Int?
    /// Moved ones at positions never active before.
    package var neverActiveBefore: Int?
    /// The share of all positions ever active.
    package var exploredShare: Double?
    /// The share of each layer's connections that it dropped and grew.
    package var dropFraction: Double?
    /// Units that a path joins to inputs and outputs.
    package var liveUnits: Int?

    package init(step: Int) {
      self.step = step
    }
  }

  /// A layer at the end of the run.
  package struct Layer: Hashable, Sendable {
    package var name: String
    /// Outputs first: `[100, 300]`, or `[64, 32, 3, 3]`.
    package var shape: [Int]
    package var connections: Int
    package var positions: Int
    package var liveUnits: Int
    package var deadUnits: Int

    package init(
      name: String, shape: [Int], connections: Int, positions: Int, liveUnits: Int, deadUnits: Int
    ) {
      self.name = name
      self.shape = shape
      self.connections = connections
      self.positions = positions
      self.liveUnits = liveUnits
      self.deadUnits = deadUnits
    }
  }

  /// How many connections are of which age.
  package struct Ages: Hashable, Sendable {
    /// The lower bounds of the bins in weight steps, ascending; the last bin ends at `end`.
    package var from: [Int]
    package var counts: [Int]
    package var end: Int

    package init(from: [Int], counts: [Int], end: Int) {
      self.from = from
      self.counts = counts
      self.end = end
    }
  }

  /// Outgoing connections of each input.
  package struct InputMap: Hashable, Sendable {
    package var width: Int
    package var height: Int
    /// By row; channels are summed.
    package var connections: [Int]

    package init(width: Int, height: Int, connections: [Int]) {
      self.width = width
      self.height = height
      self.connections = connections
    }
  }

  package var points: [Point] = []
  package var updates: [Update] = []
  /// The network's layers; empty where only another run of the group was opened for that.
  package var layers: [Layer] = []
  package var ages: Ages?
  package var inputMap: InputMap?

  package init() {}
}
