// `rigl bench`: measurements on this machine, each against what it is to be compared with.

import ArgumentParser
import RigLBench
import RigLCore

/// `rigl bench`
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure speed and memory on this machine.",
    discussion: """
      Whatever is compared alternates within one run, and figures are medians. The first result \
      states the machine and its measured peaks.
      """,
    subcommands: [
      LayersCommand.self, ConvolutionsCommand.self, StepCommand.self, EvaluateCommand.self,
      PhotosCommand.self, SelectionCommand.self, UpdateCommand.self, MemoryCommand.self,
      EpochCommand.self,
    ])
}

/// The arguments of all benchmarks.
struct BenchArguments: ParsableArguments {
  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Option(help: "How often to measure; more rounds, less noise.")
  var rounds: Int?

  func validate() throws {
    guard rounds ?? 1 >= 1 else { throw ValidationError("--rounds: at least 1") }
  }

  /// Prints the machine and its peaks, and returns them.
  func begin(_ printer: BenchPrinter, threads: Int) throws -> Peaks {
    let machine = Machine.current()
    let peaks = try Peaks.measure(machine.caches, threads: threads)
    try printer.print(peaks.record(of: machine))
    return peaks
  }

  /// The same, and sets a benchmark's rounds, if there is a number to set.
  func begin(threads: Int, rounds: inout Int) throws -> (peaks: Peaks, printer: BenchPrinter) {
    let printer = BenchPrinter(json: json)
    rounds = self.rounds ?? rounds
    return (try begin(printer, threads: threads), printer)
  }
}

/// The densities of benchmarks of layers.
struct DensityArguments: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Shares of connections that exist.", valueName: "density"))
  var densities: [Double] = []

  func validate() throws {
    for density in densities where !(density > 0 && density < 1) {
      throw ValidationError("--densities: \(density) is not between 0 and 1")
    }
  }
}

extension Bench {
  /// `rigl bench layers`
  struct LayersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "layers",
      abstract: "A sparse layer's step against the same step by dense products.",
      discussion: """
        A step is forward, input gradient and weight gradient. The dense step takes each product \
        in the quicker orientation; --json says which. "of bound" is the share of what the \
        machine's multiply-adds and bandwidth allow.
        """)

    @OptionGroup var arguments: BenchArguments

    @Option(help: "Threads; with more than one, how the sparse step scales is printed too.")
    var threads = 1

    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp("Layers, as 1024x1024 or 512x2048@64.", valueName: "layer"))
    var cases: [String] = []

    @OptionGroup var density: DensityArguments

    @Flag(help: "Find the sparsity from which each layer gains on this machine.")
    var breakEven = false

    func run() throws {
      var bench = LayersBench()
      bench.threads = threads
      if !cases.isEmpty { bench.cases = try cases.map { try LayerCase($0) } }
      if !density.densities.isEmpty { bench.densities = density.densities }
      let (peaks, printer) = try arguments.begin(threads: threads, rounds: &bench.rounds)
      if breakEven {
        try bench.findBreakEven(printer.print)
      } else {
        try bench.run(peaks, printer.print)
      }
    }
  }

  /// `rigl bench convolutions`
  struct ConvolutionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "convolutions",
      abstract: "A convolution's step, sparse against dense; stems and depthwise layers.",
      discussion: """
        A step is forward, input gradient (a stem has none) and weight gradient, with packing. All \
        are layers of this library; scripts/peers measures other libraries.
        """)

    @OptionGroup var arguments: BenchArguments

    @Option(help: "Threads.")
    var threads = 1

    @Flag(help: "Measure no sparse layers.")
    var dense = false

    @Option(
      help: ArgumentHelp(
        "Only layers with this in their name, such as stem, depthwise or 3x3.", valueName: "text"))
    var only: String?

    @OptionGroup var density: DensityArguments

    func run() throws {
      var bench = ConvolutionsBench()
      bench.threads = threads
      if let only {
        bench.cases = bench.cases.filter { $0.name.contains(only) }
        guard !bench.cases.isEmpty else {
          let names = ConvolutionCase.standard.map(\.name).joined(separator: "\n  ")
          throw ValidationError("--only: no layer's name contains '\(only)'; there are\n  \(names)")
        }
      }
      if dense || !density.densities.isEmpty { bench.densities = dense ? [] : density.densities }
      let (peaks, printer) = try arguments.begin(threads: threads, rounds: &bench.rounds)
      try bench.run(peaks, printer.print)
    }
  }

  /// `rigl bench step`
  struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "step",
      abstract: "A whole training step of a preset's network on its nominal input.",
      discussion: """
        Samples are noise of the shape that the network was published for. Every second round has a \
        clock that says where the time goes, first by stage, then by layer, the longest first. Times \
        are of all threads, divided by the threads; with "waiting" they add up to the step. "of \
        bound" is the share of what multiply-adds and main memory allow, above 1 where caches kept \
        more than is assumed.
        """)

    @OptionGroup var arguments: BenchArguments
    @OptionGroup var network: BenchNetworkArguments

    @Option(help: "The method whose updates are measured; unset, the preset's.")
    var method: String?

    func validate() throws {
      guard let method else { return }
      if Configuration.Method(rawValue: method) == nil {
        throw ValidationError("--method: '\(method)' is no method; see rigl methods")
      }
    }

    func run() throws {
      var bench = StepBench()
      try network.apply(to: &bench.network)
      bench.method = method.flatMap(Configuration.Method.init(rawValue:))
      let (peaks, printer) = try arguments.begin(threads: network.threads, rounds: &bench.rounds)
      try bench.run(peaks, printer.print)
    }
  }

  /// `rigl bench evaluate`
  struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "evaluate", abstract: "A preset's network classifying samples.")

    @OptionGroup var arguments: BenchArguments
    @OptionGroup var network: BenchNetworkArguments

    func run() throws {
      var bench = EvaluateBench()
      try network.apply(to: &bench.network)
      let (_, printer) = try arguments.begin(threads: network.threads, rounds: &bench.rounds)
      try bench.run(printer.print)
    }
  }

  /// `rigl bench photos`
  struct PhotosCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "photos",
      abstract: "A step on photos that are decoded meanwhile, against one on images in memory.",
      discussion: "Photos are cropped and resized at random, as in training on ImageNet.")

    @OptionGroup var arguments: BenchArguments
    @OptionGroup var network: BenchNetworkArguments

    @Option(
      help: ArgumentHelp("A folder of photos; default: generated JPEGs.", valueName: "folder"))
    var photos: String?

    func run() throws {
      var bench = PhotosBench()
      try network.apply(to: &bench.network)
      bench.folder = photos
      let (_, printer) = try arguments.begin(threads: network.threads, rounds: &bench.rounds)
      try bench.run(printer.print)
    }
  }

  /// `rigl bench selection`
  struct SelectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "selection",
      abstract: "Selecting the largest of a stream of values against copying them.")

    @OptionGroup var arguments: BenchArguments

    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp(
        "Orders of the values: \(SelectionBench.Case.allValueStrings.joined(separator: ", ")).",
        valueName: "order"))
    var cases: [SelectionBench.Case] = []

    func run() throws {
      var bench = SelectionBench()
      if !cases.isEmpty { bench.cases = cases }
      let (_, printer) = try arguments.begin(threads: 1, rounds: &bench.rounds)
      try bench.run(printer.print)
    }
  }

  /// `rigl bench update`
  struct UpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "update",
      abstract: "Training that moves connections against training that does not.",
      discussion: "Also the optimizers' steps, as shares of what copying memory moves.")

    /// The comparison to measure.
    enum Case: String, CaseIterable, ExpressibleByArgument {
      case rigl, gse, optimizers

      /// A method against a static topology.
      init(_ method: UpdateBench.Method) { self = method == .rigl ? .rigl : .gse }
    }

    @OptionGroup var arguments: BenchArguments

    @Option(help: "Threads of the trainings.")
    var threads = 1

    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp("What to measure: rigl, gse, optimizers.", valueName: "case"))
    var cases: [Case] = []

    func run() throws {
      var (training, optimizers) = (UpdateBench(), OptimizerBench())
      training.threads = threads
      let (_, printer) = try arguments.begin(threads: threads, rounds: &training.rounds)
      optimizers.rounds = arguments.rounds ?? optimizers.rounds
      let cases = cases.isEmpty ? Case.allCases : cases
      for method in [UpdateBench.Method.rigl, .gse] where cases.contains(Case(method)) {
        training.method = method
        try training.run(printer.print)
      }
      if cases.contains(.optimizers) { try optimizers.run(printer.print) }
    }
  }

  /// `rigl bench epoch`
  struct EpochCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "epoch",
      abstract: "Steps a second of sparse training against its dense twin's.")

    @OptionGroup var arguments: BenchArguments

    @Option(help: "Threads.")
    var threads = 1

    @Option(help: "The preset to train; see rigl presets.")
    var preset = EpochBench().preset

    @Option(
      help: ArgumentHelp(
        "fashion-mnist, synthetic, or a folder of IDX files; default: the preset's data if it is "
          + "installed, else synthetic.", valueName: "data"))
    var data: String?

    func run() throws {
      var bench = EpochBench()
      (bench.threads, bench.preset, bench.data) = (threads, preset, data)
      let (_, printer) = try arguments.begin(threads: threads, rounds: &bench.rounds)
      try bench.run(printer.print)
    }
  }
}

extension SelectionBench.Case: ExpressibleByArgument {}
