import Foundation
import RigLCore
import Testing

@Suite struct AccountingTests {
  static let lenet: [AccountedLayer] = [
    .linear("layer1", inputs: 784, outputs: 300), .linear("layer2", inputs: 300, outputs: 100),
    .linear("layer3", inputs: 100, outputs: 10),
  ]

  /// LeNet-300-100 at uniform 98 % with a dense first layer: 235 200, 600 and 20 connections.
  private func sparseLeNet() throws -> [AccountedLayer] {
    let allocation = try SparsityDistribution(.uniform, sparsity: 0.98)
      .allocate(over: SparsityDistributionTests.lenet)
    return zip(Self.lenet, allocation.layers).map { $0.sparsified($1) }
  }

  //           connections  FLOPs: 2 nnz + biases   bytes
  //   layer1      235 200  470 700                 4 · 235 200 + 4 · 300         = 942 000
  //   layer2          600    1 300                 8 · 600 + 8 · 101 + 4 · 100   =   6 008
  //   layer3           20       50                 8 · 20 + 8 · 11 + 4 · 10      =     288
  @Test func realCountingByHand() throws {
    let layers = try sparseLeNet()
    let costs = layers.map { Accounting.real.cost(of: $0) }
    #expect(costs.map(\.flops) == [470_700, 1_300, 50])
    #expect(costs.map(\.bytes) == [942_000, 6_008, 288])
    #expect(Accounting.real.cost(of: layers) == Cost(flops: 472_050, bytes: 948_296))
    // A fully connected network has no geometry to differ in: as published when dense.
    #expect(Accounting.real.cost(of: Self.lenet) == Cost(flops: 532_810, bytes: 1_066_440))
  }

  @Test func realConvolutionsHaveGeometricOutputs() {
    // Output 5 × 4, 216 weights, 8 biases.
    let conv = AccountedLayer.conv(
      "conv", inputs: 3, outputs: 8, kernel: 3, stride: 2, padding: 1, inputHeight: 9,
      inputWidth: 7, hasBias: true)
    #expect(conv.shape == [8, 3, 3, 3] && conv.outputHeight == 5 && conv.outputWidth == 4)
    #expect(Accounting.real.cost(of: conv) == Cost(flops: 20 * (432 + 8), bytes: 896))
    let sparse = conv.withConnections(10)
    #expect(Accounting.real.cost(of: sparse) == Cost(flops: 20 * 28, bytes: 80 + 72 + 32))
    #expect(sparse.sparsity == 206.0 / 216)

    // 4 channels, each with 2 kernels of 3 × 3 on 5 × 5, no biases.
    let depthwise = AccountedLayer.depthwise(
      "dw", channels: 4, multiplier: 2, kernel: 3, padding: 1, inputHeight: 5, inputWidth: 5)
    #expect(depthwise.shape == [8, 1, 3, 3])
    #expect(Accounting.real.cost(of: depthwise) == Cost(flops: 25 * 144, bytes: 288))
  }

  @Test func storageCanBeChosenApartFromSparsity() throws {
    // ERK makes layers dense that may still be stored as sparse: 4 + 4 bytes each, 8 for offsets.
    let layer = AccountedLayer.linear("fc", inputs: 10, outputs: 4, hasBias: false)
    #expect(Accounting.real.cost(of: layer).bytes == 160)
    let stored = layer.withConnections(40, isStoredSparse: true)
    #expect(Accounting.real.cost(of: stored).bytes == 320 + 40)
    #expect(Accounting.real.cost(of: stored.dense).bytes == 160)
    #expect(Accounting.real.cost(of: layer.withConnections(1, isStoredSparse: false)).bytes == 160)
  }

  @Test func paperCountingByHand() throws {
    // v = 10 · .25 is no whole number of connections for each output.
    let layer = AccountedLayer.linear("fc", inputs: 10, outputs: 4, hasBias: false)
      .sparsified(LayerSparsity(name: "fc", positions: 40, sparsity: 0.75))
    #expect(layer.connections == 10)
    // E (2v + 1) = 4 · 6; (32 · 10 + 40 + 32 · 4)/8 bytes
    #expect(Accounting.paper.cost(of: layer) == Cost(flops: 24, bytes: 61))
    #expect(Accounting.paper.cost(of: layer.dense) == Cost(flops: 84, bytes: 176), "no mask")

    // ResNet-50's stem: o = ceil((230 − 7 + 1 + 6)/2) = 115, v = 147.
    let stem = AccountedLayer.conv(
      "conv1", inputs: 3, outputs: 64, kernel: 7, stride: 2, padding: 3, inputHeight: 224,
      inputWidth: 224, paperInputSize: 230)
    #expect(Accounting.paper.cost(of: stem).flops == Double(115 * 115 * 64 * 295))
    #expect(stem.outputHeight == 112)

    // A depthwise layer counts as one output channel: o² (2 k² C + 1), and one bias.
    let depthwise = AccountedLayer.depthwise(
      "dw2", channels: 64, kernel: 3, stride: 2, padding: 1, inputHeight: 112, inputWidth: 112,
      paperInputSize: 113)
    #expect(
      Accounting.paper.cost(of: depthwise)
        == Cost(flops: Double(57 * 57 * (2 * 9 * 64 + 1)), bytes: Double(4 * 576 + 4)))
  }

  @Test func layersOfFortyBillionPositions() {
    let layer = AccountedLayer.linear("wide", inputs: 200_000, outputs: 200_000)
      .sparsified(LayerSparsity(name: "wide", positions: 40_000_000_000, sparsity: 0.999))
    #expect(
      Accounting.real.cost(of: layer) == Cost(flops: 80_200_000, bytes: 320_000_000 + 2_400_008))
    #expect(Accounting.real.cost(of: layer.dense).bytes == 160_000_800_000)
  }

  // f_S = 10, f_D = 100
  @Test func trainingMethodsByHand() {
    func flops(_ method: TrainingMethodCost) -> Double { method.flops(sparse: 10, dense: 100) }
    #expect(flops(.dense) == 300)
    #expect(flops(.static) == 30)
    #expect(flops(.snip) == 30)
    #expect(flops(.set) == 30)
    #expect(flops(.snfs) == 120)
    #expect(flops(.rigl(interval: 1)) == 75)  // (30 + 20 + 100)/2
    #expect(flops(.rigl(interval: 9)) == 39)  // (270 + 20 + 100)/10
    #expect(flops(.rigl(interval: 9, batches: 3)) == 52.5)  // (270 + 60 + 300)/12
    #expect(flops(.gse) == 30)
    #expect(
      TrainingMethodCost.snfs.multiplier(sparse: 10, dense: 100, trainingMultiplier: 5) == 2)

    // r = 0, 0, 1 − 1/8, 1, 1 at steps 0 to 4: mean .575 of the way from 100 to 10, three times.
    let pruning = TrainingMethodCost.Pruning(steps: 5, begin: 1, end: 3)
    #expect((0..<5).map(pruning.progress) == [0, 0, 0.875, 1, 1])
    #expect(abs(flops(.pruning(pruning)) - 3 * (100 - 0.575 * 90)) < 1e-10)
    // From 60 in the place of 100: 60 − .575 · 50 = 31.25 on average.
    #expect(
      abs(TrainingMethodCost.pruning(pruning).flops(sparse: 10, dense: 100, initial: 60) - 93.75)
        < 1e-10)
    // (3 · 31.25 · 4 + 2 · 31.25 + 100) / 5
    #expect(
      abs(
        TrainingMethodCost.granet(pruning, interval: 4).flops(sparse: 10, dense: 100, initial: 60)
          - 107.5) < 1e-10)
    let atOnce = TrainingMethodCost.Pruning(steps: 4, begin: 2, end: 2)
    #expect(atOnce.meanProgress == 0.5)
    let usual = TrainingMethodCost.Pruning(steps: 1_000)
    #expect(usual.begin == 200 && usual.end == 750)
    // ∫ r = .55 · 3/4 + .25, up to the steps' width
    #expect(abs(usual.meanProgress - 0.6625) < 1e-3)
  }

  // Of 100 positions and 10 biases: 210, 110 and 60 FLOPs after 0, 1 and 2 prunings.
  @Test func aLotteryTicketCostsAllItsTrainings() {
    let layers = [
      AccountedLayer.linear("fc1", inputs: 10, outputs: 10)
        .sparsified(LayerSparsity(name: "fc1", positions: 100, sparsity: 0.75))
    ]
    func cost(_ accounting: Accounting, _ lottery: LotteryCost) -> Double {
      accounting.multiplier(lottery, of: layers) * 210
    }
    for accounting in Accounting.allCases {
      #expect(abs(cost(accounting, LotteryCost(rounds: 2)) - 380) < 1e-9)
      #expect(abs(cost(accounting, LotteryCost(rounds: 1)) - 270) < 1e-9)
      #expect(abs(cost(accounting, LotteryCost(rounds: 2, rewound: 0.5)) - 295) < 1e-9)
      let moving = LotteryCost(rounds: 1, ticket: .rigl(interval: 9))
      #expect(abs(cost(accounting, moving) - (210 + (27 * 60 + 120 + 210) / 30.0)) < 1e-9)
    }
  }

  @Test func theReportIsReadyToPrint() throws {
    let report = Accounting.real.report(
      try sparseLeNet(), interval: 100, pruning: TrainingMethodCost.Pruning(steps: 1_000))
    #expect(report.flops == 472_050 && report.denseFlops == 532_810)
    #expect(report.sizeBytes == 948_296 && report.denseSizeBytes == 1_066_440)
    #expect(abs(report.sparsity - 30_380.0 / 266_200) < 1e-15)
    #expect(report.trainMultiplier.dense == 1)
    #expect(abs(report.trainMultiplier.static - 472_050.0 / 532_810) < 1e-15)
    #expect(report.trainMultiplier.rigl > report.trainMultiplier.set)
    #expect(report.layers.map(\.connections) == [235_200, 600, 20])
    #expect(report.layers[1].shape == [100, 300] && report.layers[1].bytes == 6_008)

    let data = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(AccountingReport.self, from: data) == report)
    let json = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(
      json.keys.sorted() == [
        "accounting", "dense_flops", "dense_size_bytes", "flops", "layers", "size_bytes",
        "sparsity", "train_multiplier",
      ])
    let multipliers = try #require(json["train_multiplier"] as? [String: Double])
    #expect(
      multipliers.keys.sorted() == [
        "dense", "granet", "gse", "lottery", "pruning", "rigl", "set", "snfs", "snip", "static",
      ])
    let layer = try #require((json["layers"] as? [[String: Any]])?.first)
    #expect(
      layer.keys.sorted() == ["bytes", "connections", "flops", "name", "shape", "sparsity"])

    let longer = Accounting.real.report(
      try sparseLeNet(), interval: 100, pruning: TrainingMethodCost.Pruning(steps: 1_000),
      trainingMultiplier: 5)
    #expect(longer.trainMultiplier.dense == 5)
    #expect(abs(longer.trainMultiplier.snfs - 5 * report.trainMultiplier.snfs) < 1e-12)
  }
}
