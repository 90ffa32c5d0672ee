# Input of the Perl trace: counts keys in a hash and sorts the keys by their counts.
use strict;
use warnings;

my %count;
$count{$_ * 7919 % 20_011}++ for 1 .. 30_000;
my @keys = sort { $count{$b} <=> $count{$a} || $a <=> $b } keys %count;
print scalar(@keys), " keys, first $keys[0], last $keys[-1]\n";
