// swift-tools-version: 6.2
import PackageDescription

// Debug C is -O0 and some thirty times slower, which would make the tests of whole training runs
// useless; flags of this kind would stop everyone who depends on the package by URL, so they are
// set in this checkout only.
let isDependency = Context.packageDirectory.contains("/checkouts/")
let optimiseInDebug: [CSetting] =
  isDependency ? [] : [.unsafeFlags(["-O2"], .when(configuration: .debug))]

let strictC: [CSetting] = [
  .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
  .headerSearchPath("."),
]
let strictSwift: [SwiftSetting] = [.treatAllWarnings(as: .error), .strictMemorySafety()]

// On Debian the linker finds BLIS, zlib, libjpeg-turbo and libpng by itself; Homebrew keeps them
// apart and says where by pkg-config.
#if os(macOS)
  let blisPackage: String? = "blis"
  let jpegPackage: String? = "libjpeg"
  let pngPackage: String? = "libpng"
  let blisProvider: [SystemPackageProvider] = [.brew(["blis"])]
#else
  let blisPackage: String? = nil
  let jpegPackage: String? = nil
  let pngPackage: String? = nil
  let blisProvider: [SystemPackageProvider] = [.apt(["libblis-dev"])]
#endif

let package = Package(
  name: "swift-rigl",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "RigLCore", targets: ["RigLCore"]),
    .library(name: "RigLImages", targets: ["RigLImages"]),
    .library(name: "CSparseKernels", targets: ["CSparseKernels"]),
    .executable(name: "rigl", targets: ["rigl-cli"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CBLIS", pkgConfig: blisPackage, providers: blisProvider),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CJPEG", pkgConfig: jpegPackage,
      providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
    .systemLibrary(
      name: "CPNG", pkgConfig: pngPackage,
      providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
    .target(
      name: "CImages",
      dependencies: ["CJPEG", "CPNG"],
      cSettings: strictC + optimiseInDebug,
      linkerSettings: [
        .linkedLibrary("jpeg"), .linkedLibrary("png"),
        .linkedLibrary("m", .when(platforms: [.linux])),
      ]
    ),
    .target(
      name: "CSparseKernels",
      dependencies: ["CBLIS"],
      cSettings: strictC + optimiseInDebug,
      linkerSettings: [.linkedLibrary("blis"), .linkedLibrary("m", .when(platforms: [.linux]))]
    ),
    .target(
      name: "RigLCore",
      dependencies: [
        "CSparseKernels", "CZlib",
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strictSwift,
      linkerSettings: [.linkedLibrary("z")]
    ),
    .target(
      name: "RigLImages",
      dependencies: ["RigLCore", "CImages", "CPNG"],
      swiftSettings: strictSwift
    ),
    .target(
      name: "RigLBench",
      dependencies: ["RigLCore", "RigLImages", "CSparseKernels"],
      swiftSettings: strictSwift
    ),
    .target(
      name: "RigLExperiments",
      dependencies: ["RigLCore", .product(name: "Yams", package: "Yams")],
      swiftSettings: strictSwift
    ),
    .executableTarget(
      name: "rigl-cli",
      dependencies: [
        "RigLCore", "RigLImages", "RigLBench", "RigLExperiments",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strictSwift
    ),
    .target(
      name: "CSparseKernelsSuite",
      dependencies: ["CSparseKernels"],
      path: "Tests/CSparseKernelsSuite",
      exclude: ["main.c"],
      cSettings: strictC + optimiseInDebug
    ),
    .testTarget(
      name: "CSparseKernelsTests",
      dependencies: ["CSparseKernelsSuite"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .executableTarget(
      name: "settings-fuzz",
      dependencies: ["RigLCore"],
      path: "Tests/SettingsFuzz",
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .target(
      name: "AllocationCounter",
      path: "Tests/AllocationCounter",
      cSettings: strictC
    ),
    .testTarget(
      name: "RigLCoreTests",
      dependencies: ["RigLCore", "RigLImages", "AllocationCounter"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .testTarget(
      name: "RigLExperimentsTests",
      dependencies: ["RigLExperiments"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .testTarget(
      name: "RigLBenchTests",
      dependencies: ["RigLBench"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .testTarget(
      name: "RigLCLITests",
      dependencies: ["RigLCore", "RigLImages"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)

// Sanitizers watch the tests of the library, so nothing else is built for them.
if Context.environment["RIGL_SANITIZED"] != nil {
  let unwatched = [
    "rigl-cli", "RigLBench", "RigLExperiments", "settings-fuzz", "CSparseKernelsSuite",
    "CSparseKernelsTests",
    "RigLBenchTests", "RigLExperimentsTests",
    "RigLCLITests",
  ]
  package.targets.removeAll { unwatched.contains($0.name) }
  package.products.removeAll { $0.name == "rigl" }
}

// The documentation's plugin is for those who build it (scripts/docc): who depends on the package does
// not fetch it.
if Context.environment["RIGL_DOCC"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.3"))
}
