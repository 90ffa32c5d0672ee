/* Input of the compiler trace: shortest paths in a random graph, without any header. */

typedef unsigned long size_t;
typedef unsigned int uint32;

void *malloc(size_t size);
int printf(const char *format, ...);

enum { NODES = 4096, EDGES = 8, INFINITE = 0x7fffffff };

struct edge { uint32 to; int weight; };
struct node { struct edge edges[EDGES]; int distance; uint32 heap_index; };
struct heap { uint32 entries[NODES]; uint32 count; };

static uint32 state = 2463534242u;

static uint32 next_random(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void swap(struct heap *heap, struct node *nodes, uint32 a, uint32 b)
{
    uint32 t = heap->entries[a];
    heap->entries[a] = heap->entries[b];
    heap->entries[b] = t;
    nodes[heap->entries[a]].heap_index = a;
    nodes[heap->entries[b]].heap_index = b;
}

static void up(struct heap *heap, struct node *nodes, uint32 i)
{
    while (i > 0) {
        uint32 parent = (i - 1) / 2;
        if (nodes[heap->entries[parent]].distance <= nodes[heap->entries[i]].distance)
            break;
        swap(heap, nodes, parent, i);
        i = parent;
    }
}

static void down(struct heap *heap, struct node *nodes, uint32 i)
{
    for (;;) {
        uint32 least = i, child;
        for (child = 2 * i + 1; child <= 2 * i + 2 && child < heap->count; child++)
            if (nodes[heap->entries[child]].distance < nodes[heap->entries[least]].distance)
                least = child;
        if (least == i)
            break;
        swap(heap, nodes, least, i);
        i = least;
    }
}

static void build(struct node *nodes)
{
    uint32 i, e;
    for (i = 0; i < NODES; i++) {
        nodes[i].distance = INFINITE;
        for (e = 0; e < EDGES; e++) {
            nodes[i].edges[e].to = next_random() % NODES;
            nodes[i].edges[e].weight = 1 + (int) (next_random() % 100);
        }
    }
}

static void shortest_paths(struct node *nodes, struct heap *heap, uint32 start)
{
    uint32 i, e;
    heap->count = NODES;
    for (i = 0; i < NODES; i++) {
        heap->entries[i] = i;
        nodes[i].heap_index = i;
    }
    nodes[start].distance = 0;
    up(heap, nodes, start);
    while (heap->count > 0) {
        struct node *node = &nodes[heap->entries[0]];
        swap(heap, nodes, 0, --heap->count);
        down(heap, nodes, 0);
        if (node->distance == INFINITE)
            return;
        for (e = 0; e < EDGES; e++) {
            struct node *to = &nodes[node->edges[e].to];
            int distance = node->distance + node->edges[e].weight;
            if (to->heap_index < heap->count && distance < to->distance) {
                to->distance = distance;
                up(heap, nodes, to->heap_index);
            }
        }
    }
}

static int checksum(const struct node *nodes)
{
    int sum = 0;
    uint32 i;
    for (i = 0; i < NODES; i++)
        switch (nodes[i].distance & 3) {
        case 0: sum += nodes[i].distance; break;
        case 1: sum ^= nodes[i].distance << 3; break;
        case 2: sum -= nodes[i].distance / 7; break;
        default: sum = sum * 31 + (int) i; break;
        }
    return sum;
}

int main(void)
{
    struct node *nodes = malloc(NODES * sizeof *nodes);
    struct heap *heap = malloc(sizeof *heap);
    build(nodes);
    shortest_paths(nodes, heap, 0);
    printf("%d\n", checksum(nodes));
    return 0;
}
